/** The commands of scenario scripts: those that ask and look are here, those that break things in `test/helpers/scenario-faults.ts`. */
import type { ActorAddress } from '../../lib/address.ts';
import { defaultLimits } from '../../lib/config.ts';
import { createTraceFilter } from '../../lib/sim/world/trace.ts';
import type { RequestWords, Scenario } from './scenario.ts';
import { faultCommands } from './scenario-faults.ts';
import {
  type Command,
  hintFor,
  MANY,
  type Options,
  parseMs,
  parseValue,
  splitOptions,
} from './scenario-words.ts';

/** Carries out one line. @throws {Error} if there is no such command, it is used in another way, or it fails */
export function executeCommand(scenario: Scenario, line: string): void {
  const [name = '', ...rest] = line.trim().split(/\s+/);
  const { words, options } = splitOptions(rest);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    throw new Error(`unknown command \`${name}\`${hintFor(name, Object.keys(commands))}`);
  }
  const { usage } = command;
  if (words.length < command.words[0] || words.length > command.words[1]) {
    throw new Error(`usage: ${name} ${usage}`.trimEnd());
  }
  const { options: known = [] } = command;
  for (const option of Object.keys(options)) {
    if (known === 'any' || known.includes(option)) continue;
    throw new Error(
      `unknown option \`${option}\`${hintFor(option, known)}; usage: ${name} ${usage}`,
    );
  }
  command.run(scenario, words, options);
}

const requestOptions = ['n', 'r', 'w', 'as', 'context', 'coordinator', 'timeout'];
const requestUsage = '[context=NAME] [as=NAME] [coordinator=NODE] [n=] [r=] [w=] [timeout=TIME]';

const requestCommands: Readonly<Record<string, Command>> = {
  put: {
    usage: `KEY VALUE ${requestUsage}`,
    words: [2, 2],
    options: requestOptions,
    run: (scenario, words, options) => startRequest(scenario, ['put', ...words], options)(),
  },
  delete: {
    usage: `KEY ${requestUsage}`,
    words: [1, 1],
    options: requestOptions,
    run: (scenario, words, options) => startRequest(scenario, ['delete', ...words], options)(),
  },
  get: {
    usage: 'KEY [all] [as=NAME] [n=] [r=] [timeout=TIME]',
    words: [1, 2],
    options: requestOptions,
    run: (scenario, words, options) => startRequest(scenario, ['get', ...words], options)(),
  },
  start: {
    usage: 'put|delete|get … as without it; the script goes on before the request has ended',
    words: [2, 3],
    options: requestOptions,
    run: (scenario, words, options) => {
      startRequest(scenario, words, options);
    },
  },
};

function startRequest(scenario: Scenario, words: readonly string[], options: Options): () => void {
  const [operation, key = '', third] = words;
  const request = requestWords(scenario, options);
  if (operation === 'delete' && third === undefined) return scenario.put(key, null, request);
  if (operation === 'put' && third !== undefined) return scenario.put(key, third, request);
  if (operation !== 'get' || (third ?? 'all') !== 'all') {
    throw new Error('expected put KEY VALUE, delete KEY or get KEY [all]');
  }
  if (request.context !== undefined || request.coordinator !== undefined) {
    throw new Error('a get takes no context, and the client chooses its coordinator');
  }
  return scenario.get(key, third === undefined ? 'quorum' : 'all', request);
}

function requestWords(scenario: Scenario, options: Options): RequestWords {
  const { context, as, coordinator, timeout, n, r, w } = options;
  return {
    context,
    as,
    coordinator: coordinator === undefined ? undefined : scenario.node(coordinator),
    timeoutMs: timeout === undefined ? undefined : parseMs(timeout),
    replication: { n: parseCopies(n), r: parseCopies(r), w: parseCopies(w) },
  };
}

function parseCopies(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

const worldCommands: Readonly<Record<string, Command>> = {
  cluster: {
    usage:
      '[nodes=5] [n=] [r=] [w=] [seed=1] [scheduler=ordered] and any option or limit of a cluster',
    words: [0, 0],
    options: 'any',
    run: (scenario, _, options) => openCluster(scenario, options),
  },
  run: { usage: 'TIME', words: [1, 1], run: (scenario, [time]) => scenario.run(parseMs(time!)) },
  quiet: { usage: '', words: [0, 0], run: (scenario) => scenario.quiet() },
  trace: {
    usage: 'on [TEXT …] | off',
    words: [1, MANY],
    run: (scenario, [state, ...texts]) => {
      if (state === 'off') scenario.trace(null);
      else if (state !== 'on') throw new Error('usage: trace on [TEXT …] | off');
      else scenario.trace(texts.length === 0 ? 'messages' : createTraceFilter(texts.join(',')));
    },
  },
  show: { usage: 'KEY', words: [1, 1], run: (scenario, [key]) => scenario.show(key!) },
  expect: {
    usage: 'KEY = VALUE|(deleted)|(nothing) …',
    words: [3, MANY],
    run: (scenario, [key, sign, ...values]) => {
      if (sign !== '=') throw new Error('usage: expect KEY = VALUE …');
      scenario.expectValues(key!, values);
    },
  },
  nodes: {
    usage: '',
    words: [0, 0],
    run: (scenario) => scenario.print(eachNode(scenario, (node) => stateOf(scenario, node))),
  },
  counters: {
    usage: 'NAME',
    words: [1, 1],
    run: (scenario, [name]) => {
      scenario.print(eachNode(scenario, (node) => counterOf(scenario, node, name!)));
    },
  },
};

/** A thread for each node, and little left to chance, unless the script says otherwise. */
function openCluster(scenario: Scenario, options: Options): void {
  const replication: Record<string, unknown> = {};
  const limits: Record<string, unknown> = {};
  const { scheduler = 'ordered', lastWriterWins = 'false', nodes = '5', ...others } = options;
  if (scheduler !== 'ordered' && scheduler !== 'random') {
    throw new Error(`scheduler: got ${scheduler}, expected ordered or random`);
  }
  if (lastWriterWins !== 'true' && lastWriterWins !== 'false') {
    throw new Error(`lastWriterWins: got ${lastWriterWins}, expected true or false`);
  }
  const rest: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(others)) {
    const isCopies = ['n', 'r', 'w'].includes(name);
    const group = isCopies ? replication : Object.hasOwn(defaultLimits, name) ? limits : rest;
    group[name] = parseValue(text);
  }
  scenario.open({
    seed: 1,
    readRepairSample: 0,
    threads: Number(nodes),
    ...rest,
    nodes: Number(nodes),
    scheduler: { type: scheduler },
    lastWriterWins: lastWriterWins === 'true',
    replication,
    limits,
  });
}

function eachNode(scenario: Scenario, what: (node: ActorAddress) => string): string {
  const { nodes, config } = scenario.world;
  return nodes.map((node, index) => `${config.nodes[index]!.id} ${what(node)}`).join('  ');
}

function stateOf({ world }: Scenario, node: ActorAddress): string {
  if (!world.isUp(node)) return 'down';
  return world.isPaused(node) ? 'paused' : 'up';
}

function counterOf({ world }: Scenario, node: ActorAddress, name: string): string {
  if (!world.isUp(node)) return '-';
  const counters: Readonly<Record<string, number>> = { ...world.node(node).counters };
  const value = counters[name];
  if (value !== undefined) return String(value);
  throw new Error(`there is no counter ${name}${hintFor(name, Object.keys(counters))}`);
}

const commands: Readonly<Record<string, Command>> = {
  ...worldCommands,
  ...requestCommands,
  ...faultCommands,
};
