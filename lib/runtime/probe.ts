/**
 * Where the simulator reaches into an actor: to force branches that are rare by themselves, and to count whether they were
 * taken. Outside the simulator both do nothing.
 */

/** What the simulator asks of the code that it runs. Sites and ids are constant strings, unique in the code. */
export interface Probe {
  /**
   * True where a branch that is legal and rare is to be taken now. Always false outside the simulator.
   *
   * @example if (isLate || context.probe.buggify('coordinator: hedge at once')) this.hedge(context);
   */
  buggify(site: string): boolean;
  /** Counts whether `condition` held. Of a sweep over many seeds each id must have held once. */
  sometimes(id: string, condition: boolean): void;
}

/** The probe of nodes that are not simulated. */
export const silentProbe: Probe = Object.freeze({
  buggify: () => false,
  sometimes: () => {},
});
