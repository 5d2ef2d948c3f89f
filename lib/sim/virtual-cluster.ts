/**
 * A cluster in one thread with a virtual clock: the same nodes, ring, links and codec as on threads, driven
 * step by step from a seed. Nothing waits: time moves to the next event when nothing is left to do.
 *
 * Invariant: a run is a function of its options and of the calls made to it.
 */
import { Node } from '../../actors/node.ts';
import { drawIncarnation } from '../../actors/replica.ts';
import { type ActorAddress, clientAddress, isClientAddress, nodeAddress } from '../address.ts';
import { assert } from '../assert.ts';
import { Bucket, type BucketOptions } from '../bucket.ts';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { Client } from '../client.ts';
import { type ClusterConfig, type ClusterOptions, resolveConfig } from '../config.ts';
import { createHashSeed } from '../hash.ts';
import { Network } from '../network/network.ts';
import { type NetworkCommandOptions, resolveCommand } from '../network/rules.ts';
import { messageBytes } from '../network/size.ts';
import { Prng } from '../prng.ts';
import { readMessage, writeMessage } from '../protocol/codec.ts';
import { type Message, memberStatus } from '../protocol/messages.ts';
import { PreferenceLists } from '../ring/preference-list.ts';
import { createRing, type Ring } from '../ring/ring.ts';
import { NodeCell } from '../runtime/node-cell.ts';
import { TurnRunner } from '../runtime/turn.ts';
import { createMemoryImage, type MemoryImage, openMemoryStore } from '../store/memory-store.ts';

/** An envelope between two turns. */
interface Envelope {
  readonly source: ActorAddress;
  readonly target: ActorAddress;
  readonly message: Message;
}

export interface VirtualClusterOptions extends ClusterOptions {
  readonly seed: number;
  /** Only looks: called with every message at the moment at which the links let it through. */
  readonly onMessage?: (envelope: ObservedEnvelope) => void;
}

/** A message between two nodes, or between a node and the client. */
export interface ObservedEnvelope extends Envelope {
  readonly timeMs: number;
  readonly encoded: Uint8Array;
}

const CLIENT = clientAddress(0);

/** How often the client looks for requests past their deadline while it has any. */
const CLIENT_SWEEP_MS = 10;

/** When the virtual wall clock starts: any fixed time will do. */
const WALL_START_MS = Date.UTC(2026, 0, 1);

export class VirtualCluster {
  readonly config: ClusterConfig;
  readonly ring: Ring;
  readonly preferenceLists: PreferenceLists;
  readonly client: Client;
  /** Milliseconds since the cluster was opened. */
  nowMs = 0;
  private readonly random: Prng;
  private readonly network: Network;
  private readonly runner: TurnRunner;
  private readonly images: MemoryImage[];
  private readonly nodes: (Node | null)[];
  private readonly down = new Set<ActorAddress>();
  private readonly toClient: Envelope[] = [];
  private readonly toNodes: Envelope[] = [];
  private readonly writer = new ByteWriter();
  private readonly onMessage: VirtualClusterOptions['onMessage'];
  /** What stopped nodes, in order: a test that expects none looks here. */
  readonly failures: unknown[] = [];

  constructor({ onMessage, ...options }: VirtualClusterOptions) {
    this.onMessage = onMessage;
    this.config = resolveConfig(options, { coreCount: 1, randomSeed: options.seed });
    const { nodes, seed, partitions, replication, limits } = this.config;
    this.random = new Prng(seed);
    this.ring = createRing({
      weights: nodes.map(({ weight }) => weight),
      partitionCount: partitions,
      replicationFactor: replication.n,
      hashSeed: createHashSeed(seed),
    });
    this.preferenceLists = new PreferenceLists(this.ring);
    this.network = new Network({ seed, heldCountMax: limits.networkHeldCountMax });
    this.runner = new TurnRunner(limits, {
      route: this.route,
      onReleased: () => {},
      onCellFailed: ({ self }, error) => {
        this.failures.push(error);
        this.nodes[self] = null;
        this.announce(self, 'down');
      },
    });
    this.images = nodes.map(() => createMemoryImage());
    this.nodes = nodes.map(() => null);
    this.client = new Client({
      address: CLIENT,
      link: { send: this.sendFromClient, nowMs: () => this.nowMs },
      preferenceLists: this.preferenceLists,
      nodeCount: nodes.length,
      random: this.random.split('client'),
      clientCountMax: limits.clientCountMax,
    });
    for (const [index] of nodes.entries()) this.startNode(nodeAddress(index));
  }

  bucket<T = Uint8Array>(name: string, options: BucketOptions<T> = {}): Bucket<T> {
    const { limits, replication, requestTimeoutMs } = this.config;
    return new Bucket<T>(name, options, {
      client: this.client,
      ring: this.ring,
      limits,
      replication,
      requestTimeoutMs,
    });
  }

  /** The node at an address, for a look at its counters. */
  node(address: ActorAddress): Node {
    const node = this.nodes[address];
    assert(node !== null && node !== undefined, 'the node runs');
    return node;
  }

  /** The store of a node that runs. */
  cell(address: ActorAddress): NodeCell {
    const cell = this.runner.get(address);
    assert(cell !== undefined, 'the node runs');
    return cell;
  }

  // ------------------------------------------------------------------------------- faults

  /** Stops a node as a crash would, and tells the others. */
  crash(address: ActorAddress): void {
    const cell = this.cell(address);
    this.runner.remove(address);
    cell.state = 'stopped';
    cell.store.discard();
    this.nodes[address] = null;
    this.announce(address, 'down');
  }

  /** Starts a node again from what its store had committed. */
  restart(address: ActorAddress): void {
    assert(this.runner.get(address) === undefined, 'the node has stopped');
    this.down.delete(address);
    this.startNode(address);
    this.announce(address, 'up');
  }

  /** Loses a node's store while it is down: it comes back empty. */
  wipe(address: ActorAddress): void {
    assert(this.runner.get(address) === undefined, 'the node has stopped');
    this.images[address] = createMemoryImage();
  }

  pause(address: ActorAddress): void {
    this.cell(address).state = 'paused';
  }

  resume(address: ActorAddress): void {
    this.cell(address).state = 'running';
  }

  /** Changes the links. @throws {RingletError} RINGLET_FAULT_SPEC */
  applyNetwork(command: NetworkCommandOptions): void {
    this.network.apply(resolveCommand(command, this.config.nodes.length), this.nowMs, this.forward);
  }

  private startNode(address: ActorAddress): void {
    const { config, preferenceLists } = this;
    const random = this.random.split(`node ${address} ${this.random.uint32()}`);
    const store = openMemoryStore({
      image: this.images[address]!,
      incarnation: drawIncarnation(random),
    });
    const actor = new Node({ address, config, preferenceLists, store, down: [...this.down] });
    this.nodes[address] = actor;
    this.runner.add(new NodeCell({ address, actor, store, random, limits: config.limits }));
  }

  /** The host tells nodes itself, not over links: what it says to one life of a node never reaches the next. */
  private announce(member: ActorAddress, status: 'up' | 'down'): void {
    if (status === 'down') this.down.add(member);
    for (const { self } of this.runner.all()) {
      if (self !== member) this.deliver(member, self, memberStatus(member, status));
    }
    this.client.onMemberStatus(member, status);
  }

  // ------------------------------------------------------------------------------- time

  /** Runs one turn, after whatever is due. @returns `false` if there was nothing to do at this time. */
  step(): boolean {
    this.network.releaseDue(this.nowMs, this.forward);
    const delivered = this.deliverAll();
    if (!this.runner.hasWork(this.nowMs)) return delivered;
    this.runner.run(this.nowMs, WALL_START_MS + this.nowMs);
    return true;
  }

  /** When something happens next if nobody calls: Infinity if the cluster is idle. Time may jump there. */
  get nextEventMs(): number {
    const sweepMs =
      this.client.pendingCount > 0 ? this.nowMs + CLIENT_SWEEP_MS : Number.POSITIVE_INFINITY;
    return Math.min(this.runner.dueMs, this.network.dueMs(), sweepMs);
  }

  /** Lets time pass, doing all that becomes due, and letting callers of the client go on in between. */
  async run(durationMs: number): Promise<void> {
    const endMs = this.nowMs + durationMs;
    for (;;) {
      await settleCallers();
      if (this.step()) continue;
      if (this.nowMs >= endMs) return;
      this.nowMs = Math.min(this.nextEventMs, endMs);
      this.client.sweep();
    }
  }

  /** Runs until a request of the client has ended. @param limitMs Virtual time after which the run fails. */
  async settle<T>(request: Promise<T>, limitMs = 60_000): Promise<T> {
    const state = { isDone: false };
    const done = request.finally(() => {
      state.isDone = true;
    });
    done.catch(() => {});
    const endMs = this.nowMs + limitMs;
    await settleCallers();
    while (!state.isDone) {
      assert(this.nowMs < endMs, 'the request did not end in time');
      await this.run(1);
    }
    return done;
  }

  private deliverAll(): boolean {
    const count = this.toNodes.length + this.toClient.length;
    for (const { source, target, message } of this.toNodes.splice(0)) {
      this.deliver(source, target, message);
    }
    for (const { source, message } of this.toClient.splice(0)) this.client.receive(source, message);
    return count > 0;
  }

  private deliver(source: ActorAddress, target: ActorAddress, message: Message): void {
    this.runner.deliver(source, target, message, messageBytes(message));
  }

  // ------------------------------------------------------------------------------- messages

  private readonly sendFromClient = (
    source: ActorAddress,
    target: ActorAddress,
    message: Message,
  ): boolean => {
    this.forward(source, target, message);
    return true;
  };

  private readonly route = (source: ActorAddress, target: ActorAddress, message: Message): void => {
    this.network.admit(this.nowMs, source, target, message, this.forward);
  };

  /** Messages pass through the codec, so that what two nodes must not share shows. */
  private readonly forward = (
    source: ActorAddress,
    target: ActorAddress,
    message: Message,
  ): void => {
    writeMessage(this.writer, message);
    const encoded = this.writer.take();
    const envelope = { source, target, message: readMessage(new ByteReader(encoded)) };
    this.onMessage?.({ ...envelope, timeMs: this.nowMs, encoded });
    const queue = isClientAddress(target) ? this.toClient : this.toNodes;
    queue.push(envelope);
  };
}

/** Lets promise callbacks run: as many rounds as the longest chain in the client has, with room to spare. */
async function settleCallers(): Promise<void> {
  for (let round = 0; round < 16; round++) await null;
}
