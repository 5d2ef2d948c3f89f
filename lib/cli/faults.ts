/**
 * Faults on the way of a run, and their end: a cut between nodes that heals, a node that is killed and restarted.
 *
 * Invariant: after {@link Faults.end} every link is whole and every node runs.
 */

/** As much of a cluster as faults need. */
export interface FaultTarget {
  readonly nodeIds: readonly string[];
  readonly network: { partition(groups: string[][]): unknown; heal(): unknown };
  node(id: string): { kill(): Promise<unknown>; restart(): Promise<unknown> };
}

/** The first two fifths of the nodes (two of five) against the others; `null` for a single node. */
export function partitionGroups(nodeIds: readonly string[]): [string[], string[]] | null {
  if (nodeIds.length < 2) return null;
  const size = Math.max(1, Math.floor((nodeIds.length * 2) / 5));
  return [nodeIds.slice(0, size), nodeIds.slice(size)];
}

/** Cuts links and kills a node, tells what it did, and takes it all back. */
export class Faults {
  private readonly target: FaultTarget;
  private readonly tell: (event: string) => void;
  private isCut = false;
  private victim: string | null = null;
  private readonly timers = new Set<NodeJS.Timeout>();
  private failure: { readonly error: unknown } | null = null;

  /** @param tell Called with each event, in words. */
  constructor(target: FaultTarget, tell: (event: string) => void) {
    this.target = target;
    this.tell = tell;
  }

  /** Cuts the links between two groups of nodes, for `healAfterMs` at most. */
  async cut(healAfterMs: number): Promise<void> {
    const groups = partitionGroups(this.target.nodeIds);
    if (groups === null || this.isCut) return;
    await this.target.network.partition(groups);
    this.isCut = true;
    this.tell(`links cut: ${groups.map((group) => group.join(' ')).join(' | ')}`);
    this.after(healAfterMs, () => this.heal());
  }

  async heal(): Promise<void> {
    if (!this.isCut) return;
    this.isCut = false;
    await this.target.network.heal();
    this.tell('links healed');
  }

  /** Kills the node in the middle of the list, for `restartAfterMs` at most. */
  async kill(restartAfterMs: number): Promise<void> {
    if (this.victim !== null) return;
    const { nodeIds } = this.target;
    this.victim = nodeIds[Math.floor(nodeIds.length / 2)]!;
    await this.target.node(this.victim).kill();
    this.tell(`node ${this.victim} killed`);
    this.after(restartAfterMs, () => this.restart());
  }

  async restart(): Promise<void> {
    const { victim } = this;
    if (victim === null) return;
    this.victim = null;
    await this.target.node(victim).restart();
    this.tell(`node ${victim} restarted`);
  }

  /** Takes back what is left. @throws what a fault that was due by time failed with */
  async end(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    await this.heal();
    await this.restart();
    if (this.failure !== null) throw this.failure.error;
  }

  private after(delayMs: number, action: () => Promise<void>): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      action().catch((error: unknown) => {
        this.failure ??= { error };
      });
    }, delayMs);
    this.timers.add(timer);
  }
}
