/**
 * The six core workloads of YCSB as properties, so that they run without a file.
 *
 * Invariant: names and values are those of the property files that YCSB brings along, all text, as a file would
 * give them; what they mean and whether they can run is decided where properties become settings.
 */
import type { Properties } from './properties.ts';

/** What all six name. A share that a workload does not name below is nothing. */
const shared = {
  workload: 'site.ycsb.workloads.CoreWorkload',
  recordcount: '1000',
  operationcount: '1000',
  readallfields: 'true',
  readproportion: '0',
  updateproportion: '0',
  scanproportion: '0',
  insertproportion: '0',
  requestdistribution: 'zipfian',
} as const;

function coreWorkload(own: Readonly<Record<string, string>>): Properties {
  return new Map(Object.entries({ ...shared, ...own }));
}

/** The core workloads A to F under the names of their files, `workloada` to `workloadf`. */
export const standardWorkloads: ReadonlyMap<string, Properties> = new Map([
  ['workloada', coreWorkload({ readproportion: '0.5', updateproportion: '0.5' })],
  ['workloadb', coreWorkload({ readproportion: '0.95', updateproportion: '0.05' })],
  ['workloadc', coreWorkload({ readproportion: '1' })],
  [
    'workloadd',
    coreWorkload({
      readproportion: '0.95',
      insertproportion: '0.05',
      requestdistribution: 'latest',
    }),
  ],
  [
    'workloade',
    coreWorkload({
      scanproportion: '0.95',
      insertproportion: '0.05',
      maxscanlength: '100',
      scanlengthdistribution: 'uniform',
    }),
  ],
  ['workloadf', coreWorkload({ readproportion: '0.5', readmodifywriteproportion: '0.5' })],
]);
