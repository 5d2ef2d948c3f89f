/** The commands of the prompt: what they take, what they do, what they answer. */
import { nearestName } from '../config.ts';
import type { LinkSettings } from '../network/rules.ts';
import { InputError } from './exit.ts';
import { formatTable, plural } from './output.ts';

/** A cluster as the prompt sees it. */
export interface ShellTarget {
  readonly nodeIds: readonly string[];
  readonly entries: {
    get(key: string): Promise<{ readonly siblings: readonly string[]; readonly context: string }>;
    put(
      key: string,
      value: string,
      options: { readonly context?: string },
    ): Promise<{ readonly context: string | undefined }>;
    delete(key: string): Promise<void>;
  };
  readonly network: {
    partition(groups: readonly (readonly string[])[]): Promise<void>;
    heal(): Promise<void>;
    link(from: string, to: string): { set(settings: Partial<LinkSettings>): Promise<void> };
    counters(): Promise<readonly object[]>;
  };
  node(id: string): {
    readonly isUp: boolean;
    kill(): Promise<void>;
    restart(): Promise<void>;
    pause(): Promise<void>;
    resume(): Promise<void>;
    stats(): Promise<object | null>;
  };
  stats(): Promise<unknown>;
}

/** What a command answers: lines for a person, a value for a program. */
export interface Answer {
  readonly text: readonly string[];
  readonly result: unknown;
}

export interface Shell {
  /**
   * Carries out one line.
   *
   * @throws {InputError} if there is no such command or it is used in another way
   * @throws {RingletError} what the cluster answers
   */
  execute(line: string): Promise<Answer>;
}

interface ShellCommand {
  /** The words after the name, as help shows them. */
  readonly usage: string;
  readonly about: string;
  /** Words that it takes, at least and at most. The last takes the rest of the line. */
  readonly words: readonly [min: number, max: number];
  run(...words: string[]): Promise<Answer>;
}

/** Keys whose context the prompt remembers. */
const CONTEXT_COUNT_MAX = 1000;

/** A shell on a cluster. It remembers the context of each key that was read, for the next put. */
export function createShell(target: ShellTarget): Shell {
  const commands = { ...entryCommands(target), ...faultCommands(target), ...viewCommands(target) };
  const names = [...Object.keys(commands), 'help', 'quit'];
  return {
    async execute(line) {
      const [, name = '', rest = ''] = /^(\S*)\s*(.*)$/s.exec(line.trim()) ?? [];
      if (name === 'help') return helpOn(commands);
      const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
      if (command === undefined) {
        const near = nearestName(name, names);
        const hint = near === null ? '`help` lists the commands' : `did you mean \`${near}\`?`;
        throw new InputError(`unknown command \`${name}\`, ${hint}`);
      }
      const words = splitWords(rest, command.words[1]);
      if (words.length < command.words[0] || words.length > command.words[1]) {
        throw new InputError(`usage: ${name} ${command.usage}`.trimEnd());
      }
      return command.run(...words);
    },
  };
}

/** At most `max` words; the last one is all that is left. */
function splitWords(text: string, max: number): string[] {
  const words = text.split(/\s+/).filter((word) => word !== '');
  if (words.length <= max || max === 0) return words;
  const pattern = new RegExp(`^((?:\\S+\\s+){${max - 1}})(.*)$`, 's');
  const last = pattern.exec(text)![2]!;
  return [...words.slice(0, max - 1), last];
}

function entryCommands({ entries }: ShellTarget): Record<string, ShellCommand> {
  const contexts = new Map<string, string>();
  const remember = (key: string, context: string | undefined): void => {
    contexts.delete(key);
    if (context !== undefined) contexts.set(key, context);
    if (contexts.size > CONTEXT_COUNT_MAX) contexts.delete(contexts.keys().next().value!);
  };
  return {
    get: {
      usage: 'KEY',
      about: 'read a key, with its siblings',
      words: [1, 1],
      async run(key) {
        const { siblings, context } = await entries.get(key!);
        remember(key!, context);
        return { text: siblings.length === 0 ? ['(nothing)'] : siblings, result: siblings };
      },
    },
    put: {
      usage: 'KEY VALUE',
      about: 'write a key, based on what was last read of it here',
      words: [2, 2],
      async run(key, value) {
        const known = contexts.get(key!);
        const { context } = await entries.put(
          key!,
          value!,
          known === undefined ? {} : { context: known },
        );
        remember(key!, context);
        const hasSiblings = context === undefined;
        return {
          text: [hasSiblings ? 'stored; there are siblings that were not read here' : 'stored'],
          result: { stored: true, hasSiblings },
        };
      },
    },
    delete: {
      usage: 'KEY',
      about: 'delete a key',
      words: [1, 1],
      async run(key) {
        await entries.delete(key!);
        remember(key!, undefined);
        return done('deleted');
      },
    },
  };
}

function faultCommands({ network, node }: ShellTarget): Record<string, ShellCommand> {
  const nodeCommand = (
    about: string,
    past: string,
    act: (id: string) => Promise<void>,
  ): ShellCommand => ({
    usage: 'NODE',
    about,
    words: [1, 1],
    async run(id) {
      await act(id!);
      return done(`${id} ${past}`);
    },
  });
  return {
    kill: nodeCommand('stop a node as a crash would', 'killed', (id) => node(id).kill()),
    restart: nodeCommand('start a node again', 'restarted', (id) => node(id).restart()),
    pause: nodeCommand('let a node do nothing', 'paused', (id) => node(id).pause()),
    resume: nodeCommand('let it go on', 'resumed', (id) => node(id).resume()),
    partition: {
      usage: 'a,b|c,d',
      about: 'cut the links between groups of nodes',
      words: [1, 1],
      async run(text) {
        const groups = text!.split('|').map((group) => group.split(',').map((id) => id.trim()));
        await network.partition(groups);
        return done('links cut');
      },
    },
    heal: {
      usage: '',
      about: 'undo all faults of links',
      words: [0, 0],
      async run() {
        await network.heal();
        return done('links healed');
      },
    },
    link: {
      usage: 'FROM TO NAME=NUMBER …',
      about: 'set a link: latencyMs, jitterMs, loss, …',
      words: [3, 3],
      async run(from, to, settings) {
        await network.link(from!, to!).set(parseSettings(settings!));
        return done('set');
      },
    },
  };
}

/** Reads `latencyMs=40 loss=0.01`. The network checks names and ranges. */
function parseSettings(text: string): Partial<LinkSettings> {
  const settings = text.split(/\s+/).map((pair): [string, unknown] => {
    const [, name, value] = /^(\w+)=(.+)$/.exec(pair) ?? [];
    if (name === undefined || value === undefined) {
      throw new InputError(`got ${pair}, expected a setting such as latencyMs=40`);
    }
    const number = Number(value);
    if (value === 'true' || value === 'false') return [name, value === 'true'];
    return [name, Number.isNaN(number) ? value : number];
  });
  return Object.fromEntries(settings) as Partial<LinkSettings>;
}

function viewCommands(target: ShellTarget): Record<string, ShellCommand> {
  return {
    status: {
      usage: '',
      about: 'which nodes run, and what the links did',
      words: [0, 0],
      async run() {
        const nodes = await Promise.all(target.nodeIds.map((id) => nodeStatus(target, id)));
        const links = await target.network.counters();
        const rows = nodes.map(({ id, state }) => [id, state]);
        return {
          text: [...formatTable(rows), `${plural(links.length, 'link')} judged`],
          result: { nodes, links },
        };
      },
    },
    stats: {
      usage: '[NODE]',
      about: 'all counters, of the cluster or of one node',
      words: [0, 1],
      async run(id) {
        const result = await (id === undefined ? target.stats() : target.node(id).stats());
        return { text: JSON.stringify(result, null, 2).split('\n'), result };
      },
    },
  };
}

async function nodeStatus(target: ShellTarget, id: string): Promise<{ id: string; state: string }> {
  const node = target.node(id);
  if (!node.isUp) return { id, state: 'down' };
  const stats = await node.stats();
  const state = stats !== null && 'state' in stats ? String(stats.state) : 'running';
  return { id, state };
}

function done(text: string): Answer {
  return { text: [text], result: text };
}

function helpOn(commands: Readonly<Record<string, ShellCommand>>): Answer {
  const rows = Object.entries(commands).map(([name, { usage, about }]) => ({
    usage: `${name} ${usage}`.trimEnd(),
    about,
  }));
  rows.push({ usage: 'help', about: 'this list' }, { usage: 'quit', about: 'close the cluster' });
  const width = Math.max(...rows.map(({ usage }) => usage.length));
  return { text: rows.map(({ usage, about }) => `${usage.padEnd(width)}  ${about}`), result: rows };
}
