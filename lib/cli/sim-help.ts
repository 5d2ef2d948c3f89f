/** What `ringlet sim --help` says besides the options: faults, fields, what the numbers mean. */
import { drawPlan, faultKinds } from '../sim/swarm/plan.ts';
import { FULL_SWEEP_SEED_COUNT } from '../sim/swarm/sometimes.ts';
import { wrapWords } from './sim-report.ts';

/** The text after the options. */
export function simHelp(): string {
  const names = Object.keys(drawPlan(0)).filter((name) => name !== 'seed');
  return [
    '',
    'A seed draws a plan, and the plan decides everything: the cluster, its load, its faults, their order.',
    'The same seed gives the same run, and the same fingerprint, on every machine.',
    '',
    'Faults for --off (or all):',
    ...wrapWords(faultKinds, '  '),
    '',
    'Fields for --set (faults takes a list such as loss,crash):',
    ...wrapWords(names, '  '),
    '',
    'With --json, of a sweep:',
    '  failures              seeds that failed; the first are listed in `failed`, with the command that runs them',
    '  lostWrites            acknowledged writes that are gone although that was promised not to happen',
    '  lostWritesNotPromised the same, where the last writer wins, and beyond the faults that promises withstand',
    '  messagesPerSecond     of one core: messages divided by the seconds that all threads were busy',
    `  neverSeen             rare states that no seed reached; from ${FULL_SWEEP_SEED_COUNT} seeds on, without`,
    '                        --off and --set, that is a failure',
    '',
    'Status: 0 all went well, 1 a seed failed, 2 bad input, 130 interrupted (what was done so far is printed).',
  ].join('\n');
}
