/**
 * What can be done to the links between nodes: commands as plain data, which cross threads by structured
 * clone, and the checks that turn what an application wrote into them.
 *
 * Invariant: a resolved command is complete and valid. `lib/network/network.ts` checks nothing again, and a
 * command that is refused was not applied in part.
 */
import type { ActorAddress } from '../address.ts';
import { unreachable } from '../assert.ts';
import { nearestName, show } from '../config.ts';
import { RingletError } from '../errors.ts';
import { kindName, MessageKind, type MessageKindName } from '../protocol/messages.ts';

/** How one link, from one node to another, treats what is sent over it. */
export interface LinkSettings {
  /** The least time that an envelope takes. From 0 to 3600000. @default 0 */
  readonly latencyMs: number;
  /** Time added to the latency at random. From 0 to 3600000. @default 0 */
  readonly jitterMs: number;
  /** `uniform` adds 0 to `jitterMs`; `exponential` adds `jitterMs` on average, at times much more. @default 'uniform' */
  readonly jitterDistribution: 'uniform' | 'exponential';
  /** Share of envelopes that are lost. From 0 to 1. @default 0 */
  readonly loss: number;
  /** Share of envelopes that are sent twice. From 0 to 1. @default 0 */
  readonly duplication: number;
  /** Share of envelopes that the link's order does not bind; the others arrive as they were sent. From 0 to 1. @default 0 */
  readonly reordering: number;
  /** What such an envelope is delayed by in addition, so that others overtake it. From 0 to 3600000. @default 10 */
  readonly reorderMs: number;
  /** At least 1; `null` is no limit. Sizes are those of `lib/network/size.ts`. @default null */
  readonly bandwidthBytesPerSecond: number | null;
  /**
   * Bytes that may wait for the bandwidth, at least 1; what does not fit is dropped. An empty queue takes
   * one envelope of any size. @default 1048576 (1 MiB)
   */
  readonly queueBytesMax: number;
}

/** A link that does nothing to what it carries. */
export const defaultLinkSettings: LinkSettings = Object.freeze({
  latencyMs: 0,
  jitterMs: 0,
  jitterDistribution: 'uniform',
  loss: 0,
  duplication: 0,
  reordering: 0,
  reorderMs: 10,
  bandwidthBytesPerSecond: null,
  queueBytesMax: 1024 * 1024,
});

/** Chooses envelopes. Those that meet all three are chosen; `null` is met by every envelope. */
export interface EnvelopeFilter {
  readonly sources: readonly ActorAddress[] | null;
  readonly targets: readonly ActorAddress[] | null;
  readonly kinds: readonly MessageKind[] | null;
}

/** What a rule does with an envelope that it chose. */
export type RuleVerdict =
  | { readonly type: 'deliver' }
  | { readonly type: 'delay'; readonly delayMs: number }
  | { readonly type: 'drop' }
  /** Delivers it at once and a second time after `delayMs`. */
  | { readonly type: 'duplicate'; readonly delayMs: number }
  /** Keeps it until the rule is removed. */
  | { readonly type: 'hold' };

/**
 * Singles out messages, by kind above all. Its verdict replaces the link's settings: neither their latency,
 * loss and bandwidth nor the order of the link applies to an envelope that a rule chose.
 */
export interface MessageRule extends EnvelopeFilter {
  readonly verdict: RuleVerdict;
  /** Chance that the rule chooses an envelope that its filter chose; otherwise the next rule has its turn. 0 to 1. */
  readonly probability: number;
}

/** A {@link MessageRule} as an application writes it. */
export interface MessageRuleOptions {
  /** @default every node */
  readonly sources?: readonly ActorAddress[] | null;
  /** @default every node */
  readonly targets?: readonly ActorAddress[] | null;
  /** By number or by name. Only what nodes send to each other ever matches. @default every kind */
  readonly kinds?: readonly (MessageKind | MessageKindName)[] | null;
  /** `delayMs` of `duplicate` is 0 by default. */
  readonly verdict: RuleVerdict | { readonly type: 'duplicate' };
  /** @default 1 */
  readonly probability?: number;
}

type Command<Settings, Rule> =
  /** Settings for one link. They replace earlier ones as a whole, and the default. */
  | {
      readonly type: 'set-link';
      readonly source: ActorAddress;
      readonly target: ActorAddress;
      readonly settings: Settings;
    }
  /** Returns a link to the default. */
  | { readonly type: 'reset-link'; readonly source: ActorAddress; readonly target: ActorAddress }
  /** Settings for all links that have none of their own. */
  | { readonly type: 'set-default'; readonly settings: Settings }
  /** Undoes `set-default`. */
  | { readonly type: 'reset-default' }
  /**
   * Cuts all links between nodes of different groups. Nodes that are not named form one further group.
   * Replaces an earlier partition; with no groups it ends it.
   */
  | { readonly type: 'partition'; readonly groups: readonly (readonly ActorAddress[])[] }
  /** Cuts the links from each source to each target, but not the ways back. */
  | {
      readonly type: 'block';
      readonly sources: readonly ActorAddress[];
      readonly targets: readonly ActorAddress[];
    }
  /** Undoes `block` for these links. */
  | {
      readonly type: 'unblock';
      readonly sources: readonly ActorAddress[];
      readonly targets: readonly ActorAddress[];
    }
  /** Adds a rule after those that there are. One with the same id is replaced in its place, and what it held is released. */
  | { readonly type: 'rule'; readonly id: string; readonly rule: Rule }
  /** Removes a rule, if there is one, and delivers what it held, in order. */
  | { readonly type: 'remove-rule'; readonly id: string }
  /** Keeps all that is sent over a link from now on. */
  | { readonly type: 'hold'; readonly source: ActorAddress; readonly target: ActorAddress }
  /** Ends `hold` and delivers what it kept, in order. */
  | { readonly type: 'release'; readonly source: ActorAddress; readonly target: ActorAddress }
  /** Undoes all of the above and delivers what is held, in order. Delayed envelopes keep their time. */
  | { readonly type: 'heal' };

/** One change to the links: complete, checked, plain data. */
export type NetworkCommand = Command<LinkSettings, MessageRule>;

/** One change to the links, as an application writes it. */
export type NetworkCommandOptions = Command<Partial<LinkSettings>, MessageRuleOptions>;

const LATENCY_MS_MAX = 3_600_000;
const RULE_ID_LENGTH_MAX = 64;

const commandFields: Record<NetworkCommand['type'], readonly string[]> = {
  'set-link': ['type', 'source', 'target', 'settings'],
  'reset-link': ['type', 'source', 'target'],
  'set-default': ['type', 'settings'],
  'reset-default': ['type'],
  partition: ['type', 'groups'],
  block: ['type', 'sources', 'targets'],
  unblock: ['type', 'sources', 'targets'],
  rule: ['type', 'id', 'rule'],
  'remove-rule': ['type', 'id'],
  hold: ['type', 'source', 'target'],
  release: ['type', 'source', 'target'],
  heal: ['type'],
};

const verdictFields: Record<RuleVerdict['type'], readonly string[]> = {
  deliver: ['type'],
  delay: ['type', 'delayMs'],
  drop: ['type'],
  duplicate: ['type', 'delayMs'],
  hold: ['type'],
};

const ruleFields = ['sources', 'targets', 'kinds', 'verdict', 'probability'];

/**
 * Checks a command and fills in its defaults.
 *
 * @param nodeCount Nodes of the cluster; their addresses are 0 to `nodeCount - 1`.
 * @throws {RingletError} RINGLET_FAULT_SPEC
 */
export function resolveCommand(command: NetworkCommandOptions, nodeCount: number): NetworkCommand {
  checkType('command', command, commandFields);
  const { type } = command;
  switch (type) {
    case 'set-link':
      return {
        type,
        ...resolveLink(command, nodeCount),
        settings: resolveLinkSettings(command.settings),
      };
    case 'reset-link':
    case 'hold':
    case 'release':
      return { type, ...resolveLink(command, nodeCount) };
    case 'set-default':
      return { type, settings: resolveLinkSettings(command.settings) };
    case 'partition':
      return { type, groups: resolveGroups(command.groups, nodeCount) };
    case 'block':
    case 'unblock':
      return {
        type,
        sources: checkNodes('sources', command.sources, nodeCount),
        targets: checkNodes('targets', command.targets, nodeCount),
      };
    case 'rule':
      return { type, id: checkRuleId(command.id), rule: resolveRule(command.rule, nodeCount) };
    case 'remove-rule':
      return { type, id: checkRuleId(command.id) };
    case 'reset-default':
    case 'heal':
      return { type };
    default:
      return unreachable(type);
  }
}

/**
 * Checks a link's settings and fills in the defaults.
 *
 * @throws {RingletError} RINGLET_FAULT_SPEC
 */
export function resolveLinkSettings(settings: Partial<LinkSettings>): LinkSettings {
  checkFields('link setting', settings, Object.keys(defaultLinkSettings));
  const merged: LinkSettings = { ...defaultLinkSettings, ...settings };
  checkNumber('latencyMs', merged.latencyMs, 0, LATENCY_MS_MAX);
  checkNumber('jitterMs', merged.jitterMs, 0, LATENCY_MS_MAX);
  checkName('jitterDistribution', merged.jitterDistribution, ['uniform', 'exponential']);
  checkNumber('loss', merged.loss, 0, 1);
  checkNumber('duplication', merged.duplication, 0, 1);
  checkNumber('reordering', merged.reordering, 0, 1);
  checkNumber('reorderMs', merged.reorderMs, 0, LATENCY_MS_MAX);
  if (merged.bandwidthBytesPerSecond !== null) {
    checkNumber('bandwidthBytesPerSecond', merged.bandwidthBytesPerSecond, 1, 2 ** 40);
  }
  checkNumber('queueBytesMax', merged.queueBytesMax, 1, 2 ** 40);
  return Object.freeze(merged);
}

/** Tells whether `filter` chooses an envelope. */
export function matchesFilter(
  filter: EnvelopeFilter,
  source: ActorAddress,
  target: ActorAddress,
  kind: MessageKind,
): boolean {
  return (
    (filter.kinds === null || filter.kinds.includes(kind)) &&
    (filter.sources === null || filter.sources.includes(source)) &&
    (filter.targets === null || filter.targets.includes(target))
  );
}

function resolveRule(rule: MessageRuleOptions, nodeCount: number): MessageRule {
  checkFields('rule option', rule, ruleFields);
  const { sources = null, targets = null, kinds = null, probability = 1 } = rule;
  return {
    sources: sources === null ? null : checkNodes('sources', sources, nodeCount),
    targets: targets === null ? null : checkNodes('targets', targets, nodeCount),
    kinds: kinds === null ? null : checkList('kinds', kinds).map(resolveKind),
    verdict: resolveVerdict(rule.verdict),
    probability: checkNumber('probability', probability, 0, 1),
  };
}

function resolveVerdict(verdict: MessageRuleOptions['verdict']): RuleVerdict {
  checkType('verdict', verdict, verdictFields);
  const { type } = verdict;
  if (type !== 'delay' && type !== 'duplicate') return { type };
  const delayMs = 'delayMs' in verdict || type === 'delay' ? verdict.delayMs : 0;
  return { type, delayMs: checkNumber('delayMs', delayMs, 0, LATENCY_MS_MAX) };
}

function resolveKind(kind: MessageKind | MessageKindName): MessageKind {
  const kinds = Object.values(MessageKind);
  const found = kinds.find((candidate) => kind === candidate || kind === kindName(candidate));
  if (found !== undefined) return found;
  if (typeof kind === 'string') throw unknownName('message kind', kind, kinds.map(kindName));
  throw invalid('kinds', kind, 'kinds of messages');
}

function resolveLink(
  link: { readonly source: ActorAddress; readonly target: ActorAddress },
  nodeCount: number,
): { source: ActorAddress; target: ActorAddress } {
  const source = checkNode('source', link.source, nodeCount);
  const target = checkNode('target', link.target, nodeCount);
  if (source === target) throw invalid('target', target, 'another node than the source');
  return { source, target };
}

function resolveGroups(
  groups: readonly (readonly ActorAddress[])[],
  nodeCount: number,
): readonly (readonly ActorAddress[])[] {
  if (!Array.isArray(groups)) throw invalid('groups', groups, 'a list of lists of nodes');
  const resolved = groups.map((group) => checkNodes('groups', group, nodeCount));
  const seen = new Set<ActorAddress>();
  for (const node of resolved.flat()) {
    if (seen.has(node)) throw invalid('groups', node, 'each node in one group');
    seen.add(node);
  }
  return resolved;
}

function checkNode(name: string, node: ActorAddress, nodeCount: number): ActorAddress {
  if (Number.isInteger(node) && node >= 0 && node < nodeCount) return node;
  throw invalid(name, node, `a node's address from 0 to ${nodeCount - 1}`);
}

function checkNodes(name: string, nodes: readonly ActorAddress[], nodeCount: number) {
  return checkList(name, nodes).map((node) => checkNode(name, node, nodeCount));
}

/** An empty list would choose nothing, which nobody means. */
function checkList<T>(name: string, list: readonly T[]): readonly T[] {
  if (Array.isArray(list) && list.length > 0) return list;
  throw invalid(name, list, 'a list that is not empty');
}

function checkRuleId(id: string): string {
  if (typeof id === 'string' && id.length >= 1 && id.length <= RULE_ID_LENGTH_MAX) return id;
  throw invalid('id', id, `a string of 1 to ${RULE_ID_LENGTH_MAX} characters`);
}

/** Also refuses NaN, which compares as false. */
function checkNumber(name: string, value: number, min: number, max: number): number {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw invalid(name, value, `a number from ${min} to ${max}`);
}

/** Checks an object whose `type` says which other fields it has. */
function checkType(
  what: string,
  value: { readonly type: string },
  fieldsOf: Readonly<Record<string, readonly string[]>>,
): void {
  checkObject(what, value);
  checkName(what, value.type, Object.keys(fieldsOf));
  checkFields(`field of \`${value.type}\``, value, fieldsOf[value.type]!);
}

function checkFields(what: string, value: object, known: readonly string[]): void {
  checkObject(what, value);
  for (const name of Object.keys(value)) checkName(what, name, known);
}

function checkObject(what: string, value: unknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(what, value, 'an object');
  }
}

function checkName(what: string, name: unknown, known: readonly string[]): void {
  if (typeof name !== 'string') throw invalid(what, name, `one of ${known.join(', ')}`);
  if (!known.includes(name)) throw unknownName(what, name, known);
}

function unknownName(what: string, name: string, known: readonly string[]): RingletError {
  const near = nearestName(name, known);
  const hint = near === null ? '' : `, did you mean \`${near}\`?`;
  return new RingletError('RINGLET_FAULT_SPEC', `unknown ${what} ${show(name)}${hint}`);
}

function invalid(name: string, value: unknown, expected: string): RingletError {
  return new RingletError(
    'RINGLET_FAULT_SPEC',
    `${name}: got ${show(value)}, expected ${expected}`,
  );
}
