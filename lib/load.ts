/**
 * Estimates of how busy nodes are, from what an asker sees: the queue depth that came with a node's last
 * reply and the requests sent to it since. A node that does not reply looks busier with each request.
 *
 * Two random choices by such an estimate spread load better than the least-loaded choice, which herds
 * when estimates are stale.
 */
import type { ActorAddress } from './address.ts';
import type { Prng } from './prng.ts';

export class LoadEstimates {
  private readonly reported: Int32Array;
  private readonly sentSince: Int32Array;

  /** @param nodeCount Addresses are 0 to `nodeCount - 1`. */
  constructor(nodeCount: number) {
    this.reported = new Int32Array(nodeCount);
    this.sentSince = new Int32Array(nodeCount);
  }

  onSent(node: ActorAddress): void {
    this.sentSince[node]!++;
  }

  onReply(node: ActorAddress, queueDepth: number): void {
    this.reported[node] = queueDepth;
    this.sentSince[node] = 0;
  }

  /** Forgets a node that stopped. */
  reset(node: ActorAddress): void {
    this.reported[node] = 0;
    this.sentSince[node] = 0;
  }

  of(node: ActorAddress): number {
    return this.reported[node]! + this.sentSince[node]!;
  }

  /** The less loaded of two random members of a list that is not empty. */
  betterOfTwo(nodes: readonly ActorAddress[], random: Prng): ActorAddress {
    const first = nodes[random.int(nodes.length)]!;
    const second = nodes[random.int(nodes.length)]!;
    return this.of(second) < this.of(first) ? second : first;
  }
}
