/**
 * The simulated disk against real files: the same story of commits, deaths, damage and copies makes both stores say the
 * same on each opening and hold the same records. What the simulated disk loses by chance is taken from the files too.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fc, testProp } from '@fast-check/ava';
import test, { type ExecutionContext } from 'ava';
import Database from 'better-sqlite3';
import { defaultLimits } from '../../lib/config.ts';
import { isRingletError } from '../../lib/errors.ts';
import { Prng } from '../../lib/prng.ts';
import type { DiskImage, SimulatedDisk, SimulatedStore } from '../../lib/sim/world/disk.ts';
import type { PartitionStore } from '../../lib/store/contract.ts';
import type { Mark, OpenReport, SessionMeta } from '../../lib/store/opening.ts';
import { HighWaterMark } from '../../workers/high-water-mark.ts';
import { openSqliteStore, type SqliteStore } from '../../workers/sqlite-store.ts';
import { createDisk, openDisk, Syncs } from '../helpers/disk-fixture.ts';
import {
  bytesOf,
  copyStoreFiles,
  keyOf,
  partitionId,
  storeOptions,
  temporaryFolder,
  textOf,
} from '../helpers/store-fixture.ts';

const p0 = partitionId(0);

/** What can happen. A step that makes no sense at its time is left out. */
const steps = [
  'open',
  'commit',
  'commit and die before the sync',
  'kill',
  'close',
  'lose power',
  'cut the journal',
  'damage a commit',
  'damage the file',
  'wipe',
  'wipe the file',
  'wipe the mark',
  'take an image',
  'put it back',
  'put its file back',
  'put a file of another node there',
] as const;
type Step = (typeof steps)[number];

interface Settings {
  readonly durability: 'full' | 'normal';
  readonly hasPeers: boolean;
  readonly seed: number;
}

// --- Both stores -----------------------------------------------------------------------------------

/** What an opening finds. */
interface Finding {
  readonly status: string;
  readonly detail: string;
  readonly incarnation: number | null;
  readonly records: readonly string[];
}

/** Opens a store and describes it, or the error that refuses it. */
function findingOf(open: () => PartitionStore & { readonly openReport: OpenReport }): Finding {
  try {
    const store = open();
    const { status, detail } = store.openReport;
    return {
      status,
      detail: status === 'quarantined' ? '' : detail, // It has names of files.
      incarnation: store.incarnation,
      records: store.entries(p0, null, 1000).map(({ record }) => textOf(record) ?? ''),
    };
  } catch (error) {
    if (!isRingletError(error)) throw error;
    return { status: error.code, detail: '', incarnation: null, records: [] };
  }
}

/** Each commit has a key of its own and one that all share. */
function commit(store: PartitionStore, number: number): void {
  for (const key of [`k${number}`, 'shared']) store.put(p0, keyOf(key), bytesOf(valueAt(number)));
  store.commit();
}

/** A text that is easy to find in a file. */
function valueAt(number: number): string {
  return `<value ${number}>`;
}

// --- The simulated one -------------------------------------------------------------------------------

class SimulatedSide {
  store: SimulatedStore | null = null;
  readonly disk: SimulatedDisk;
  private readonly hasPeers: boolean;
  private incarnationCount = 0;
  private syncs = new Syncs();
  private image: DiskImage;

  constructor({ durability, hasPeers }: Settings) {
    this.disk = createDisk(durability);
    this.hasPeers = hasPeers;
    this.image = this.disk.takeImage();
  }

  open(bootId: string): Finding {
    this.syncs = new Syncs();
    return findingOf(() => {
      this.store = this.disk.open({
        createIncarnation: () => ++this.incarnationCount,
        hasPeers: this.hasPeers,
        bootId,
        startSync: this.syncs.start,
      });
      return this.store;
    });
  }

  sync(): void {
    this.syncs.endAll();
  }

  kill(): void {
    this.store!.discard();
    this.store = null;
  }

  close(): void {
    this.store!.close();
    this.store = null;
  }

  takeImage(): void {
    this.image = this.disk.takeImage();
  }

  putBack(what: 'directory' | 'file'): void {
    this.disk.putBack(this.image, what);
  }

  putForeign(): void {
    const other = createDisk('full', 'b');
    openDisk(other).close();
    this.disk.putBack(other.takeImage());
  }

  /** @returns the number of the commit that was hit */
  damageCommit(random: Prng): number | undefined {
    const before = this.numbers();
    this.disk.rotJournal(random, 'hole');
    const left = this.numbers();
    return before.find((number) => !left.includes(number));
  }

  private numbers(): number[] {
    const records = this.disk.takeImage().file?.table.all() ?? [];
    return [...records].flatMap(({ key }) => (key === 'shared' ? [] : [Number(key.slice(1))]));
  }

  get mark(): Mark | null {
    return this.disk.takeImage().mark;
  }

  /** Where the log ends. */
  get end(): string {
    const { file } = this.disk.takeImage();
    return file === null || file.meta.isClean ? '' : endOf(file.seq, file.meta);
  }
}

/** Names a place in a log, by the last commit and the session. */
function endOf(seq: number, { incarnation, bootId }: Pick<SessionMeta, 'incarnation' | 'bootId'>) {
  return `${seq} ${incarnation} ${bootId}`;
}

// --- The real one ------------------------------------------------------------------------------------

/** What is known of a file from outside. */
interface Log {
  /** How long the write-ahead log was when it ended there. */
  readonly sizes: Map<string, number>;
  /** SQLite has copied it into the file, so that its end cannot be cut off any more. */
  isInFile: boolean;
}

class RealSide {
  store: SqliteStore | null = null;
  private readonly settings: Settings;
  private readonly folder: string;
  private incarnationCount = 0;
  private readonly image: string;
  private file: string;
  private fileCount = 0;
  private log: Log = { sizes: new Map(), isInFile: false };
  private bootId = '';
  private imageLog = this.log;

  constructor(t: ExecutionContext, settings: Settings) {
    this.settings = settings;
    this.folder = temporaryFolder(t);
    this.file = path.join(this.folder, 'a.db');
    this.image = path.join(this.folder, 'image.db');
  }

  /** False while the simulated log may have commits that the real one has not. */
  get canCut(): boolean {
    return !this.log.isInFile;
  }

  open(bootId: string): Finding {
    this.bootId = bootId;
    const { durability, hasPeers } = this.settings;
    const createIncarnation = () => ++this.incarnationCount;
    const options = { durability, hasPeers, bootId, createIncarnation, limits: defaultLimits };
    const finding = findingOf(() => {
      this.store = openSqliteStore(storeOptions(this.file, options));
      return this.store;
    });
    if (this.store === null) this.log.isInFile = true;
    else this.measureLog();
    return finding;
  }

  measureLog(): void {
    const { commitNumber, incarnation } = this.store!;
    const end = endOf(commitNumber, { incarnation, bootId: this.bootId });
    this.log.sizes.set(end, fs.statSync(`${this.file}-wal`).size);
  }

  async sync(): Promise<void> {
    const store = this.store!;
    while (store.durableNumber < store.commitNumber) {
      await new Promise<void>((resolve, reject) => {
        store.onDurable = (error) => (error === null ? resolve() : reject(error));
      });
    }
  }

  /** The store ends beside the files that it would have left. */
  kill(): void {
    const copy = path.join(this.folder, `${++this.fileCount}.db`);
    copyStoreFiles(this.file, copy);
    this.store!.discard();
    this.store = null;
    this.file = copy;
  }

  close(): void {
    this.store!.close();
    this.store = null;
    this.log.isInFile = false;
  }

  cut(end: string): void {
    fs.truncateSync(`${this.file}-wal`, this.log.sizes.get(end) ?? 0);
  }

  replaceMark(mark: Mark | null): void {
    this.remove('.mark');
    if (mark === null) return;
    const file = new HighWaterMark(`${this.file}.mark`);
    file.write(mark);
    file.close();
  }

  /** Damages the journal's row of a commit, which must be in the file itself. */
  damageCommit(number: number): void {
    const database = new Database(this.file);
    database.pragma('wal_checkpoint(TRUNCATE)');
    database.close();
    this.log.isInFile = true;
    const bytes = fs.readFileSync(this.file);
    const text = valueAt(number);
    for (let at = bytes.indexOf(text); at !== -1; at = bytes.indexOf(text, at)) bytes[at] = 0;
    fs.writeFileSync(this.file, bytes);
  }

  /** SQLite would mend the header from its log on the way to a commit. */
  get canDamageCommit(): boolean {
    return fs.existsSync(this.file) && fs.readFileSync(this.file)[0] !== 0;
  }

  damageFile(): void {
    if (!fs.existsSync(this.file)) return;
    const bytes = fs.readFileSync(this.file);
    bytes[0] = 0;
    fs.writeFileSync(this.file, bytes);
  }

  wipe(what: 'directory' | 'file' | 'mark'): void {
    if (what !== 'mark') this.remove('', '-wal');
    if (what !== 'file') this.remove('.mark');
  }

  private remove(...suffixes: string[]): void {
    for (const suffix of suffixes) fs.rmSync(this.file + suffix, { force: true });
  }

  takeImage(): void {
    copyStoreFiles(this.file, this.image);
    this.imageLog = { ...this.log, sizes: new Map(this.log.sizes) };
  }

  putBack(what: 'directory' | 'file'): void {
    const mark = `${this.file}.mark`;
    const kept = what === 'file' && fs.existsSync(mark) ? fs.readFileSync(mark) : null;
    copyStoreFiles(this.image, this.file);
    if (what === 'file') this.remove('.mark');
    if (kept !== null) fs.writeFileSync(mark, kept);
    this.log = { ...this.imageLog, sizes: new Map(this.imageLog.sizes) };
  }

  putForeign(): void {
    const other = path.join(this.folder, `${++this.fileCount}.db`);
    openSqliteStore(storeOptions(other, { nodeId: 'b' })).close();
    copyStoreFiles(other, this.file);
  }
}

// --- The comparison ----------------------------------------------------------------------------------

class Story {
  /** What the openings found, with the error codes of those that were refused. */
  readonly statuses: string[] = [];
  private readonly t: ExecutionContext;
  private readonly simulated: SimulatedSide;
  private readonly real: RealSide;
  private readonly random: Prng;
  private readonly told: Step[] = [];
  private boot = 1;
  private commitCount = 0;

  constructor(t: ExecutionContext, settings: Settings) {
    this.t = t;
    this.simulated = new SimulatedSide(settings);
    this.real = new RealSide(t, settings);
    this.random = new Prng(settings.seed);
  }

  async tell(step: Step): Promise<void> {
    this.told.push(step);
    if (step === 'take an image') this.both((side) => side.takeImage());
    else if (this.simulated.store === null) this.tellClosed(step);
    else await this.tellOpen(step);
  }

  end(): void {
    this.both((side) => side.store?.discard());
  }

  private both(work: (side: SimulatedSide | RealSide) => void): void {
    work(this.simulated);
    work(this.real);
  }

  private async tellOpen(step: Step): Promise<void> {
    if (step === 'close') this.both((side) => side.close());
    if (step === 'kill') this.both((side) => side.kill());
    if (step !== 'commit' && step !== 'commit and die before the sync') return;
    const number = ++this.commitCount;
    this.both((side) => commit(side.store!, number));
    this.real.measureLog();
    if (step === 'commit') {
      this.simulated.sync();
      await this.real.sync();
    } else {
      this.both((side) => side.kill());
    }
  }

  private tellClosed(step: Step): void {
    switch (step) {
      case 'open':
        return this.open();
      case 'lose power':
        return this.losePower();
      case 'cut the journal':
        if (this.real.canCut) this.cut((disk) => disk.rotJournal(this.random, 'cut'));
        return;
      case 'damage a commit':
        return this.damageCommit();
      case 'damage the file':
        this.simulated.disk.rotMeta();
        return this.real.damageFile();
      case 'wipe':
        return this.wipe('directory');
      case 'wipe the file':
        return this.wipe('file');
      case 'wipe the mark':
        return this.wipe('mark');
      case 'put it back':
        return this.both((side) => side.putBack('directory'));
      case 'put its file back':
        return this.both((side) => side.putBack('file'));
      case 'put a file of another node there':
        return this.both((side) => side.putForeign());
    }
  }

  private open(): void {
    const found = this.real.open(`boot-${this.boot}`);
    const simulated = this.simulated.open(`boot-${this.boot}`);
    this.t.deepEqual(simulated, found, this.told.join(', '));
    this.statuses.push(found.status);
  }

  private losePower(): void {
    this.boot++;
    this.cut((disk) => disk.losePower(this.random));
    this.real.replaceMark(this.simulated.mark);
  }

  private cut(breakIt: (disk: SimulatedDisk) => number): void {
    if (breakIt(this.simulated.disk) > 0) this.real.cut(this.simulated.end);
  }

  private damageCommit(): void {
    if (!this.real.canDamageCommit) return;
    const number = this.simulated.damageCommit(this.random);
    if (number !== undefined) this.real.damageCommit(number);
  }

  private wipe(what: 'directory' | 'file' | 'mark'): void {
    this.simulated.disk.wipe(what);
    this.real.wipe(what);
  }
}

interface Script {
  readonly title: string;
  readonly settings?: Partial<Settings>;
  readonly steps: readonly Step[];
  readonly statuses: readonly string[];
}

const scripts: readonly Script[] = [
  {
    title: 'closed, killed, closed again',
    steps: ['open', 'commit', 'close', 'open', 'commit', 'kill', 'open', 'close', 'open'],
    statuses: ['created', 'opened', 'recovered', 'opened'],
  },
  {
    title: 'the journal is cut off after a kill, twice',
    steps: [
      'open',
      'commit',
      'commit',
      'commit',
      'kill',
      'cut the journal',
      'open',
      'commit',
      'kill',
      'cut the journal',
      'open',
      'kill',
      'open',
    ],
    statuses: ['created', 'rolled-back', 'rolled-back', 'recovered'],
  },
  {
    title: 'commits that were not synced are gone with the power, durability full',
    steps: [
      'open',
      'commit',
      'commit and die before the sync',
      'open',
      'commit and die before the sync',
      'lose power',
      'open',
      'commit',
      'kill',
      'open',
    ],
    statuses: ['created', 'recovered', 'recovered', 'recovered'],
  },
  {
    title: 'the power goes, durability normal',
    settings: { durability: 'normal' },
    steps: ['open', 'commit', 'commit', 'commit', 'kill', 'lose power', 'open', 'kill', 'open'],
    statuses: ['created', 'rolled-back', 'recovered'],
  },
  {
    title: 'the power goes after a close, durability normal',
    settings: { durability: 'normal' },
    steps: ['open', 'commit', 'close', 'lose power', 'open'],
    statuses: ['created', 'opened'],
  },
  {
    title: 'an older image with its mark, and without',
    steps: [
      'open',
      'commit',
      'take an image',
      'commit',
      'commit',
      'kill',
      'put it back',
      'open',
      'commit',
      'commit',
      'kill',
      'put its file back',
      'open',
      'close',
      'open',
    ],
    statuses: ['created', 'recovered', 'rolled-back', 'opened'],
  },
  {
    title: 'the directory, the file or the mark is gone',
    steps: [
      'open',
      'commit',
      'kill',
      'wipe',
      'open',
      'commit',
      'kill',
      'wipe the file',
      'open',
      'commit',
      'close',
      'wipe the mark',
      'open',
    ],
    statuses: ['created', 'created', 'rolled-back', 'rolled-back'],
  },
  {
    title: 'a damaged row of the journal is reported until it is written out',
    steps: [
      'open',
      'commit',
      'commit',
      'commit',
      'kill',
      'damage a commit',
      'open',
      'commit',
      'kill',
      'open',
      'close',
      'open',
    ],
    statuses: ['created', 'rolled-back', 'rolled-back', 'opened'],
  },
  {
    title: 'a damaged file is set aside',
    steps: ['open', 'commit', 'close', 'damage the file', 'open', 'commit', 'kill', 'open'],
    statuses: ['created', 'quarantined', 'recovered'],
  },
  {
    title: 'a file of another node is refused until it is gone',
    steps: ['open', 'kill', 'put a file of another node there', 'open', 'open', 'wipe', 'open'],
    statuses: ['created', 'RINGLET_DATADIR_FOREIGN', 'RINGLET_DATADIR_FOREIGN', 'created'],
  },
  {
    title: 'without peers a loss is refused until it is made good or accepted',
    settings: { hasPeers: false },
    steps: [
      'open',
      'commit',
      'commit',
      'kill',
      'take an image',
      'cut the journal',
      'open',
      'put it back',
      'open',
      'kill',
      'wipe the file',
      'open',
      'wipe the mark',
      'open',
    ],
    statuses: [
      'created',
      'RINGLET_STORE_ROLLED_BACK',
      'recovered',
      'RINGLET_STORE_ROLLED_BACK',
      'created',
    ],
  },
];

for (const script of scripts) {
  test(script.title, async (t) => {
    const settings = { durability: 'full', hasPeers: true, seed: 5, ...script.settings } as const;
    const story = new Story(t, settings);
    for (const step of script.steps) await story.tell(step);
    story.end();
    t.deepEqual(story.statuses, script.statuses);
  });
}

testProp(
  'any story makes both say the same',
  [
    fc.record({
      durability: fc.constantFrom('full', 'normal'),
      hasPeers: fc.boolean(),
      seed: fc.nat(),
    }),
    fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.constant<Step>('open') },
        { weight: 6, arbitrary: fc.constant<Step>('commit') },
        { weight: 10, arbitrary: fc.constantFrom<Step>(...steps) },
      ),
      { minLength: 10, maxLength: 30 },
    ),
  ],
  async (t, settings, script) => {
    const story = new Story(t, settings);
    for (const step of script) await story.tell(step);
    await story.tell('open');
    story.end();
  },
  { numRuns: 40 },
);
