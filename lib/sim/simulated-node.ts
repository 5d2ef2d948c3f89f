/**
 * One node of a simulated cluster: everything that can happen to it, and a look inside. What {@link ClusterNode} has is here
 * under the same name; there is nothing to wait for, but to await it does no harm.
 */
import type { NodeCounters } from '../../actors/node.ts';
import type { ActorAddress } from '../address.ts';
import { splitRecordKey } from '../address.ts';
import { checkNumber, checkWhole } from '../config.ts';
import { RingletError } from '../errors.ts';
import { type Key, publicKey } from '../key.ts';
import type { CellState } from '../runtime/node-cell.ts';
import type { StoreStats } from '../store/contract.ts';
import type { OpenReport } from '../store/opening.ts';
import type { RecordedWorld } from './recorded-world.ts';
import type { CommitFailure } from './world/disk.ts';
import type { NodeClock, World } from './world/world.ts';

/** Gauges, and counters since the node started. */
export interface SimulatedNodeStats {
  readonly state: CellState;
  /** The name of its store's life. Another one after it has lost something. */
  readonly incarnation: number;
  /** Requests that it coordinates. */
  readonly queueDepth: number;
  readonly mailboxCount: number;
  readonly mailboxRefusedCount: number;
  readonly counters: NodeCounters;
  readonly store: StoreStats;
}

/** A node's disk as it was at one moment. Works in a fork too. */
export interface SimulatedImage {
  /** The node that it was taken from. */
  readonly node: string;
}

/** See `cluster.node(id)`. */
export class SimulatedNode {
  readonly id: string;
  /** The thread that it shares with others. */
  readonly thread: number;
  private readonly address: ActorAddress;
  private readonly recorded: RecordedWorld;

  /** Use `cluster.node(id)`. */
  constructor(id: string, address: ActorAddress, recorded: RecordedWorld) {
    this.id = id;
    this.address = address;
    this.recorded = recorded;
    this.thread = recorded.world.threadOf(address);
  }

  get isUp(): boolean {
    return this.world.isUp(this.address);
  }

  get isPaused(): boolean {
    return this.world.isPaused(this.address);
  }

  /** `null` while it is down. */
  stats(): SimulatedNodeStats | null {
    if (!this.isUp) return null;
    const { state, store, mailbox } = this.world.cell(this.address);
    const { queueDepth, counters } = this.world.node(this.address);
    return {
      state,
      incarnation: store.incarnation,
      queueDepth,
      mailboxCount: mailbox.count,
      mailboxRefusedCount: mailbox.refusedCount,
      counters,
      store: store.stats(),
    };
  }

  // ------------------------------------------------------------------------------- life and death

  /** Ends it as the death of its process would: what it has committed stays, all else is gone. Nothing if it is down. */
  crash(): void {
    if (!this.isUp) return;
    this.act((world) => world.crash(this.address));
  }

  /** {@link crash}, under the name that it has in a cluster on threads. */
  kill(): void {
    this.crash();
  }

  /**
   * Starts it from what its disk holds, after a crash if it runs.
   *
   * @returns how the store was found, or `null` if it was refused: the node is then down
   */
  restart(): OpenReport | null {
    this.crash();
    return this.act((world) => world.restart(this.address));
  }

  /** Mail and timers wait, as in a long collection of garbage. @throws {RingletError} RINGLET_FAULT_SPEC if it is down */
  pause(): void {
    this.assertUp();
    this.act((world) => world.pause(this.address));
  }

  /** @throws {RingletError} RINGLET_FAULT_SPEC if it is down */
  resume(): void {
    this.assertUp();
    this.act((world) => world.resume(this.address));
  }

  // ------------------------------------------------------------------------------- its clock

  /** Puts its wall clock off, for last-writer-wins, until told otherwise: a restart does not mend it. */
  skewClock(skewMs: number): void {
    this.setClock({ skewMs });
  }

  /** Puts its wall clock off, and lets it stand still from now on or go on. */
  setClock({ skewMs = 0, isFrozen = false }: NodeClock): void {
    const clock = { skewMs: checkNumber('skewMs', skewMs, -CLOCK_MS_MAX, CLOCK_MS_MAX), isFrozen };
    this.act((world) => world.setClock(this.address, clock));
  }

  // ------------------------------------------------------------------------------- its disk

  /** Each sync takes so many milliseconds longer on average; 0 ends it. Only with durability `full`. */
  slowDisk(syncMs: number): void {
    checkNumber('syncMs', syncMs, 0, CLOCK_MS_MAX);
    this.act((world) => world.slowDisk(this.address, syncMs));
  }

  /** Nothing more can be written to its disk, or again. */
  fillDisk(isFull = true): void {
    this.act((world) => {
      world.disk(this.address).isFull = isFull;
    });
  }

  /**
   * Makes the commit after `count` more commits fail. `io-error`: nothing of it is kept. `lost-send`: it is kept, and the node
   * dies before anything is sent. `sync-error`: the sync after it fails.
   */
  failCommit(how: CommitFailure, count = 0): void {
    checkWhole('count', count, 0, Number.MAX_SAFE_INTEGER);
    this.act((world) => world.disk(this.address).failCommit(count, how));
  }

  /** Damages a record at random. @returns its key, whatever its bucket, or `null` if there is none */
  rotRecord(): Key | null {
    const rotten = this.recorded.act(({ world, random }) =>
      world.disk(this.address).rotRecord(random),
    );
    return rotten === null ? null : publicKey(splitRecordKey(rotten.key).key);
  }

  /** Damages the journal: a commit and mostly all after it are gone. Ends the node if it runs. @returns commits lost */
  rotJournal(): number {
    this.crash();
    return this.recorded.act(({ world, random }) => world.disk(this.address).rotJournal(random));
  }

  /** Damages the file's header: when it starts, the node sets the file aside. Ends the node if it runs. */
  rotMeta(): void {
    this.crash();
    this.act((world) => world.disk(this.address).rotMeta());
  }

  /** Removes all that its disk holds. Ends the node if it runs. */
  wipe(): void {
    this.crash();
    this.act((world) => world.disk(this.address).wipe());
  }

  /** Copies what its disk holds. Costs little: only what differs later takes space. */
  takeImage(): SimulatedImage {
    const image = Object.freeze({ node: this.id });
    this.recorded.act(({ world, images }) => {
      images.set(image, world.disk(this.address).takeImage());
    });
    return image;
  }

  /**
   * Puts an image in place of what its disk holds: an older one, or one of another node. Ends the node if it runs.
   *
   * @throws {RingletError} RINGLET_FAULT_SPEC if the image is not of this cluster
   */
  putBack(image: SimulatedImage): void {
    if (!this.recorded.stage.images.has(image)) throw fault('the image is of another cluster');
    this.crash();
    this.recorded.act(({ world, images }) => {
      world.disk(this.address).putBack(images.get(image)!);
    });
  }

  private get world(): World {
    return this.recorded.world;
  }

  private act<Result>(action: (world: World) => Result): Result {
    return this.recorded.act(({ world }) => action(world));
  }

  private assertUp(): void {
    if (!this.isUp) throw fault(`node ${this.id} is down`);
  }
}

/** 30 years. */
const CLOCK_MS_MAX = 1e12;

function fault(problem: string): RingletError {
  return new RingletError('RINGLET_FAULT_SPEC', problem);
}
