/**
 * The probe of a swarm's runs: decides which rare branches are taken, and counts what was seen.
 *
 * Each site is on in a quarter of the runs, and where it is on it fires a quarter of the times (as FoundationDB's `BUGGIFY`
 * does), so that runs differ in which branches are common.
 */
import type { Prng } from '../../prng.ts';
import type { Probe } from '../../runtime/probe.ts';

const SITE_SHARE = 0.25;
const FIRE_SHARE = 0.25;

export class SwarmProbe implements Probe {
  /** By id, how often its condition held. */
  readonly counts = new Map<string, number>();
  /** No branch is forced while it is off. */
  isOn: boolean;
  private readonly random: Prng;
  private readonly sites = new Map<string, boolean>();

  constructor(random: Prng, isOn: boolean) {
    this.random = random;
    this.isOn = isOn;
  }

  buggify(site: string): boolean {
    if (!this.isOn) return false;
    let isSiteOn = this.sites.get(site);
    if (isSiteOn === undefined) {
      isSiteOn = this.random.split(site).chance(SITE_SHARE);
      this.sites.set(site, isSiteOn);
    }
    return isSiteOn && this.random.chance(FIRE_SHARE);
  }

  sometimes(id: string, condition: boolean): void {
    if (condition) this.counts.set(id, (this.counts.get(id) ?? 0) + 1);
  }
}
