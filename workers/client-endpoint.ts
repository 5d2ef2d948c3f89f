/**
 * A client's end of the data path, in the application's own thread: one frame port per node thread, and
 * the tick that ends requests past their deadline.
 *
 * Requests made in one turn of the event loop leave in one frame per thread.
 */
import type { MessagePort } from 'node:worker_threads';
import type { ActorAddress } from '../lib/address.ts';
import { Client, type ClientLink } from '../lib/client.ts';
import type { ClusterConfig } from '../lib/config.ts';
import { Prng } from '../lib/prng.ts';
import type { Message } from '../lib/protocol/messages.ts';
import { PreferenceLists } from '../lib/ring/preference-list.ts';
import type { Ring } from '../lib/ring/ring.ts';
import { FramePort } from './frame-port.ts';

export interface ClientEndpointOptions {
  readonly address: ActorAddress;
  readonly config: ClusterConfig;
  readonly ring: Ring;
  readonly threadOf: readonly number[];
  readonly down: readonly ActorAddress[];
  readonly randomSeed: number;
}

/** How often deadlines are looked at while requests are under way. */
const SWEEP_MS = 20;

export class ClientEndpoint implements ClientLink {
  readonly address: ActorAddress;
  readonly client: Client;
  private readonly config: ClusterConfig;
  private readonly threadOf: readonly number[];
  private readonly ports = new Map<number, FramePort>();
  private isFlushScheduled = false;
  private sweepTimer: NodeJS.Timeout | null = null;

  constructor(options: ClientEndpointOptions) {
    this.address = options.address;
    this.config = options.config;
    this.threadOf = options.threadOf;
    this.client = new Client({
      address: options.address,
      link: this,
      preferenceLists: new PreferenceLists(options.ring),
      nodeCount: options.config.nodes.length,
      random: new Prng(options.randomSeed),
      clientCountMax: options.config.limits.clientCountMax,
    });
    for (const member of options.down) this.client.onMemberStatus(member, 'down');
  }

  attachThread(threadIndex: number, port: MessagePort): void {
    const framePort = new FramePort(port, this.config.limits, {
      deliver: (source, _target, message) => this.client.receive(source, message),
      // What cannot be read is lost, as in a network; the request's deadline covers it.
      malformed: () => {},
    });
    this.ports.set(threadIndex, framePort);
  }

  detachThread(threadIndex: number): void {
    this.ports.get(threadIndex)?.close();
    this.ports.delete(threadIndex);
  }

  send(source: ActorAddress, target: ActorAddress, message: Message): boolean {
    const port = this.ports.get(this.threadOf[target]!);
    if (port === undefined || !port.send(source, target, message)) return false;
    if (!this.isFlushScheduled) {
      this.isFlushScheduled = true;
      setImmediate(this.flush);
    }
    if (this.sweepTimer === null) this.scheduleSweep();
    return true;
  }

  nowMs(): number {
    return performance.now();
  }

  close(): void {
    this.client.close();
    if (this.sweepTimer !== null) clearTimeout(this.sweepTimer);
    for (const port of this.ports.values()) port.close();
    this.ports.clear();
  }

  private readonly flush = (): void => {
    this.isFlushScheduled = false;
    for (const port of this.ports.values()) port.flush();
  };

  /** A thread that was busy takes in the replies that have come meanwhile before it looks at deadlines. */
  private scheduleSweep(): void {
    this.sweepTimer = setTimeout(() => setImmediate(this.sweep), SWEEP_MS);
  }

  private readonly sweep = (): void => {
    this.sweepTimer = null;
    this.client.sweep();
    if (this.client.pendingCount > 0) this.scheduleSweep();
  };
}
