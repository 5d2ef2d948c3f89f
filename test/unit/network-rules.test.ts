/** What an application may ask of the links: defaults, and every kind of bad request. */
import test from 'ava';
import { type ActorAddress, nodeAddress } from '../../lib/address.ts';
import { isRingletError } from '../../lib/errors.ts';
import {
  defaultLinkSettings,
  type LinkSettings,
  type NetworkCommandOptions,
  resolveCommand,
  resolveLinkSettings,
} from '../../lib/network/rules.ts';
import { MessageKind } from '../../lib/protocol/messages.ts';

const NODE_COUNT = 5;
const a = nodeAddress(0);
const b = nodeAddress(1);
const unknown = 5 as ActorAddress;

test('settings that are not given have their defaults', (t) => {
  t.deepEqual(resolveLinkSettings({}), defaultLinkSettings);
  t.deepEqual(resolveLinkSettings({ latencyMs: 40, loss: 0.01 }), {
    ...defaultLinkSettings,
    latencyMs: 40,
    loss: 0.01,
  });
});

test('a resolved rule is complete and names kinds by number', (t) => {
  const rule = { kinds: ['Ping', MessageKind.ReplicaPut], verdict: { type: 'duplicate' } } as const;
  t.deepEqual(resolveCommand({ type: 'rule', id: 'r', rule }, NODE_COUNT), {
    type: 'rule',
    id: 'r',
    rule: {
      sources: null,
      targets: null,
      kinds: [MessageKind.Ping, MessageKind.ReplicaPut],
      verdict: { type: 'duplicate', delayMs: 0 },
      probability: 1,
    },
  });
});

const drop = { type: 'drop' } as const;
const valid: NetworkCommandOptions[] = [
  { type: 'set-link', source: a, target: b, settings: { loss: 1, bandwidthBytesPerSecond: null } },
  { type: 'reset-link', source: a, target: b },
  { type: 'set-default', settings: { jitterDistribution: 'exponential' } },
  { type: 'reset-default' },
  { type: 'partition', groups: [[a], [b]] },
  { type: 'partition', groups: [] },
  { type: 'block', sources: [a], targets: [a, b] },
  { type: 'unblock', sources: [a], targets: [b] },
  { type: 'rule', id: 'r', rule: { sources: [a], targets: null, verdict: drop, probability: 0 } },
  { type: 'remove-rule', id: 'r' },
  { type: 'hold', source: a, target: b },
  { type: 'release', source: a, target: b },
  { type: 'heal' },
];

for (const command of valid) {
  test(`resolving twice changes nothing: ${JSON.stringify(command)}`, (t) => {
    const resolved = resolveCommand(command, NODE_COUNT);
    t.is(resolved.type, command.type);
    t.deepEqual(resolveCommand(structuredClone(resolved), NODE_COUNT), resolved);
  });
}

const badSettings: [unknown, RegExp][] = [
  [{ loss: 1.5 }, /loss: got 1.5, expected a number from 0 to 1/],
  [{ loss: -0.1 }, /loss: got -0.1/],
  [{ loss: Number.NaN }, /loss: got NaN/],
  [{ loss: '0.1' }, /loss: got "0.1"/],
  [{ loss: undefined }, /loss: got undefined/],
  [{ duplication: 2 }, /duplication: got 2/],
  [{ reordering: Number.POSITIVE_INFINITY }, /reordering: got Infinity/],
  [{ latencyMs: -1 }, /latencyMs: got -1/],
  [{ latencyMs: 3_600_001 }, /latencyMs: got 3600001/],
  [{ jitterMs: Number.NaN }, /jitterMs: got NaN/],
  [{ reorderMs: -1 }, /reorderMs: got -1/],
  [{ bandwidthBytesPerSecond: 0 }, /bandwidthBytesPerSecond: got 0/],
  [{ queueBytesMax: 0 }, /queueBytesMax: got 0/],
  [{ queueBytesMax: null }, /queueBytesMax: got null/],
  [
    { jitterDistribution: 'unifrom' },
    /unknown jitterDistribution "unifrom", did you mean `uniform`/,
  ],
  [{ jitterDistribution: 3 }, /jitterDistribution: got 3, expected one of uniform, exponential/],
  [{ latency: 5 }, /unknown link setting "latency", did you mean `latencyMs`/],
  [{ colour: 5 }, /unknown link setting "colour"/],
  [null, /link setting: got null, expected an object/],
  [[], /link setting: got a list/],
];

for (const [settings, expected] of badSettings) {
  test(`refuses settings: ${expected.source}`, (t) => {
    const error = t.throws(() => resolveLinkSettings(settings as Partial<LinkSettings>));
    t.true(isRingletError(error, 'RINGLET_FAULT_SPEC'));
    t.regex(error.message, expected);
  });
}

const badCommands: [unknown, RegExp][] = [
  [null, /command: got null/],
  [{}, /command: got undefined, expected one of set-link/],
  [{ type: 'partiton' }, /unknown command "partiton", did you mean `partition`/],
  [{ type: 'toString' }, /unknown command "toString"/],
  [{ type: 'heal', now: true }, /unknown field of `heal` "now"/],
  [{ type: 'set-link', source: a, target: unknown, settings: {} }, /target: got 5.*from 0 to 4/],
  [{ type: 'set-link', source: a, target: b }, /link setting: got undefined/],
  [{ type: 'set-link', source: a, target: a, settings: {} }, /another node than the source/],
  [{ type: 'hold', source: -1, target: b }, /source: got -1/],
  [{ type: 'hold', source: 'a', target: b }, /source: got "a"/],
  [{ type: 'release', source: a }, /target: got undefined/],
  [
    { type: 'block', sources: [], targets: [b] },
    /sources: got a list, expected a list that is not/,
  ],
  [{ type: 'block', sources: [a], targets: [unknown] }, /targets: got 5/],
  [{ type: 'partition', groups: a }, /groups: got 0/],
  [{ type: 'partition', groups: [a] }, /groups: got 0/],
  [{ type: 'partition', groups: [[a], [b, a]] }, /groups: got 0, expected each node in one group/],
  [{ type: 'partition', groups: [[a, a]] }, /expected each node in one group/],
  [{ type: 'rule', id: '', rule: { verdict: drop } }, /id: got ""/],
  [{ type: 'remove-rule', id: 'x'.repeat(65) }, /id: got "xxx/],
  [{ type: 'rule', id: 'r', rule: {} }, /verdict: got undefined/],
  [{ type: 'rule', id: 'r', rule: { verdict: { type: 'dorp' } } }, /did you mean `drop`/],
  [{ type: 'rule', id: 'r', rule: { verdict: { type: 'delay' } } }, /delayMs: got undefined/],
  [{ type: 'rule', id: 'r', rule: { verdict: { type: 'delay', delayMs: -1 } } }, /delayMs: got -1/],
  [{ type: 'rule', id: 'r', rule: { verdict: { ...drop, delayMs: 1 } } }, /field of `drop`/],
  [{ type: 'rule', id: 'r', rule: { verdict: drop, probability: 2 } }, /probability: got 2/],
  [{ type: 'rule', id: 'r', rule: { verdict: drop, sources: [] } }, /sources: got a list/],
  [{ type: 'rule', id: 'r', rule: { verdict: drop, kinds: [99] } }, /kinds: got 99/],
  [{ type: 'rule', id: 'r', rule: { verdict: drop, kind: [1] } }, /did you mean `kinds`/],
  [
    { type: 'rule', id: 'r', rule: { verdict: drop, kinds: ['Pong'] } },
    /unknown message kind "Pong"/,
  ],
];

for (const [command, expected] of badCommands) {
  test(`refuses a command: ${JSON.stringify(command)}`, (t) => {
    const error = t.throws(() => resolveCommand(command as NetworkCommandOptions, NODE_COUNT));
    t.true(isRingletError(error, 'RINGLET_FAULT_SPEC'));
    t.regex(error.message, expected);
  });
}
