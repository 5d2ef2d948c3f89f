/** The commands of scenario scripts that break things: nodes, disks, clocks, links. */
import type { ActorAddress } from '../../lib/address.ts';
import type { LinkSettings, MessageRuleOptions } from '../../lib/network/rules.ts';
import { Prng } from '../../lib/prng.ts';
import type { MessageKindName } from '../../lib/protocol/messages.ts';
import type { Scenario } from './scenario.ts';
import {
  type Command,
  MANY,
  type Options,
  parseMs,
  parseNodes,
  parseValue,
} from './scenario-words.ts';

const nodeCommands: Readonly<Record<string, Command>> = {
  crash: onNodes('up', ({ world }, node) => world.crash(node)),
  restart: onNodes('down', ({ world }, node) => world.restart(node)),
  pause: onNodes('up', ({ world }, node) => world.pause(node)),
  resume: onNodes('up', ({ world }, node) => world.resume(node)),
  wipe: onNodes('down', ({ world }, node) => world.disk(node).wipe()),
  full: onNodes('any', ({ world }, node) => {
    world.disk(node).isFull = true;
  }),
  empty: onNodes('any', ({ world }, node) => {
    world.disk(node).isFull = false;
  }),
  'lost-send': onNodes('up', ({ world }, node) => world.disk(node).failCommit(0, 'lost-send')),
  'fail-commit': onNodes('up', ({ world }, node) => world.disk(node).failCommit(0, 'io-error')),
  'fail-sync': onNodes('up', ({ world }, node) => world.disk(node).failCommit(0, 'sync-error')),
  'rot-meta': onNodes('down', ({ world }, node) => world.disk(node).rotMeta()),
  rot: {
    usage: 'NODES KEY',
    words: [2, 2],
    run: (scenario, [names, key]) => {
      for (const node of parseNodes(scenario, names!)) scenario.rot(node, key!);
    },
  },
  'rot-journal': {
    usage: 'NODE cut|hole',
    words: [2, 2],
    run: (scenario, [name, how]) => {
      if (how !== 'cut' && how !== 'hole') throw new Error('usage: rot-journal NODE cut|hole');
      const node = scenario.downNode(name!);
      const { world } = scenario;
      scenario.printLost(node, world.disk(node).rotJournal(new Prng(world.config.seed), how));
    },
  },
  image: {
    usage: 'NODE as=IMAGE',
    words: [1, 1],
    options: ['as'],
    run: (scenario, [name], { as = name! }) => {
      scenario.saveImage(as, scenario.world.disk(scenario.node(name!)).takeImage());
    },
  },
  restore: {
    usage: 'NODE IMAGE [file]; with `file` what the node has beside its file stays',
    words: [2, 3],
    run: (scenario, [name, image, what = 'directory']) => {
      if (what !== 'directory' && what !== 'file')
        throw new Error('usage: restore NODE IMAGE [file]');
      scenario.world.disk(scenario.downNode(name!)).putBack(scenario.image(image!), what);
    },
  },
  clone: {
    usage: 'FROM TO',
    words: [2, 2],
    run: (scenario, [from, to]) => {
      const image = scenario.world.disk(scenario.node(from!)).takeImage();
      scenario.world.disk(scenario.downNode(to!)).putBack(image);
    },
  },
  'lose-power': { usage: '', words: [0, 0], run: (scenario) => scenario.losePower() },
  'kill-thread': onThread((scenario, thread) => scenario.world.killThread(thread)),
  'restart-thread': onThread((scenario, thread) => scenario.world.restartThread(thread)),
  clock: {
    usage: 'NODE +TIME|-TIME|frozen|right',
    words: [2, 2],
    run: (scenario, [name, how]) => setClock(scenario, name!, how!),
  },
  'slow-disk': {
    usage: 'NODE TIME',
    words: [2, 2],
    run: (scenario, [name, time]) => {
      scenario.world.slowDisk(scenario.node(name!), parseMs(time!));
    },
  },
};

/** A command that does one thing to each of several nodes. */
function onNodes(
  state: 'up' | 'down' | 'any',
  act: (scenario: Scenario, node: ActorAddress) => void,
): Command {
  return {
    usage: 'NODES',
    words: [1, 1],
    run: (scenario, [names]) => {
      for (const node of parseNodes(scenario, names!)) {
        const { id } = scenario.world.config.nodes[node]!;
        if (state === 'up') scenario.upNode(id);
        if (state === 'down') scenario.downNode(id);
        act(scenario, node);
      }
    },
  };
}

function onThread(act: (scenario: Scenario, thread: number) => void): Command {
  return {
    usage: 'THREAD',
    words: [1, 1],
    run: (scenario, [text]) => {
      const thread = Number(text);
      if (Number.isInteger(thread) && thread >= 0 && thread < scenario.world.threadCount) {
        act(scenario, thread);
      } else {
        throw new Error(`there is no thread ${text}`);
      }
    },
  };
}

function setClock(scenario: Scenario, name: string, how: string): void {
  const node = scenario.node(name);
  const [, sign, time] = /^([+-])(.+)$/.exec(how) ?? [];
  if (how === 'frozen') scenario.world.setClock(node, { isFrozen: true });
  else if (how === 'right') scenario.world.setClock(node, {});
  else if (time === undefined) throw new Error('usage: clock NODE +TIME|-TIME|frozen|right');
  else scenario.world.setClock(node, { skewMs: (sign === '-' ? -1 : 1) * parseMs(time) });
}

const networkCommands: Readonly<Record<string, Command>> = {
  partition: {
    usage: 'NODE … | NODE … […]',
    words: [3, MANY],
    run: (scenario, words) => {
      const groups = words
        .join(' ')
        .split('|')
        .map((group) => group.trim().split(/\s+/));
      scenario.world.applyNetwork({
        type: 'partition',
        groups: groups.map((group) => group.map((name) => scenario.node(name))),
      });
    },
  },
  block: onLinks((scenario, sources, targets) => {
    scenario.world.applyNetwork({ type: 'block', sources, targets });
  }),
  unblock: onLinks((scenario, sources, targets) => {
    scenario.world.applyNetwork({ type: 'unblock', sources, targets });
  }),
  link: {
    usage: 'NODES -> NODES NAME=NUMBER …',
    words: [3, 3],
    options: 'any',
    run: (scenario, words, options) => setLinks(scenario, words, options),
  },
  links: {
    usage: 'NAME=NUMBER …',
    words: [0, 0],
    options: 'any',
    run: (scenario, _, options) => {
      scenario.world.applyNetwork({ type: 'set-default', settings: parseSettings(options) });
    },
  },
  drop: onMessages('drop'),
  hold: onMessages('hold'),
  delay: onMessages('delay'),
  duplicate: onMessages('duplicate'),
  release: {
    usage: 'NAME, of a rule; what it held is delivered',
    words: [1, 1],
    run: (scenario, [id]) => scenario.world.applyNetwork({ type: 'remove-rule', id: id! }),
  },
  heal: {
    usage: '',
    words: [0, 0],
    run: (scenario) => scenario.world.applyNetwork({ type: 'heal' }),
  },
};

function onLinks(
  act: (scenario: Scenario, sources: ActorAddress[], targets: ActorAddress[]) => void,
): Command {
  return {
    usage: 'NODES -> NODES',
    words: [3, 3],
    run: (scenario, words) => act(scenario, ...parseLinks(scenario, words)),
  };
}

/** A rule for messages of some kinds on some links. */
function onMessages(type: 'drop' | 'hold' | 'delay' | 'duplicate'): Command {
  return {
    usage: 'KINDS NODES -> NODES [by=TIME] [as=NAME]',
    words: [4, 4],
    options: ['by', 'as'],
    run: (scenario, [kinds, ...links], { as, by = '0ms' }) => {
      const [sources, targets] = parseLinks(scenario, links);
      const delayMs = parseMs(by);
      const isTimed = type === 'delay' || type === 'duplicate';
      const rule: MessageRuleOptions = {
        sources,
        targets,
        kinds: kinds === '*' ? null : (kinds!.split(',') as MessageKindName[]),
        verdict: isTimed ? { type, delayMs } : { type },
      };
      scenario.world.applyNetwork({ type: 'rule', id: as ?? scenario.nextRuleName(), rule });
    },
  };
}

function setLinks(scenario: Scenario, words: readonly string[], options: Options): void {
  const [sources, targets] = parseLinks(scenario, words);
  const settings = parseSettings(options);
  for (const source of sources) {
    for (const target of targets) {
      if (source === target) continue;
      scenario.world.applyNetwork({ type: 'set-link', source, target, settings });
    }
  }
}

/** The network checks names and ranges. */
function parseSettings(options: Options): Partial<LinkSettings> {
  const settings = Object.entries(options).map(([name, text]) => [name, parseValue(text)]);
  return Object.fromEntries(settings) as Partial<LinkSettings>;
}

function parseLinks(
  scenario: Scenario,
  [sources, arrow, targets]: readonly string[],
): [sources: ActorAddress[], targets: ActorAddress[]] {
  if (arrow !== '->') throw new Error(`expected NODES -> NODES, got ${arrow}`);
  return [parseNodes(scenario, sources!), parseNodes(scenario, targets!)];
}

/** By name. */
export const faultCommands: Readonly<Record<string, Command>> = {
  ...nodeCommands,
  ...networkCommands,
};
