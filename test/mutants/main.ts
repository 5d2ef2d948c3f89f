/**
 * `npm run mutants`: hunts every mutant of the gallery and prints which checker found it and how many seeds it took. Ends with
 * status 1 if one survives, is found only by a checker that was made for something else, or if the sound code has a finding.
 */
import { parseArgs } from 'node:util';
import { formatTable } from '../../lib/cli/output.ts';
import { gallery, type Mutant } from './gallery.ts';
import { huntMutants, huntSound, type Outcome } from './hunt.ts';

const { values: options, positionals: ids } = parseArgs({
  options: { json: { type: 'boolean', default: false } },
  allowPositionals: true,
});

const outcomes = await huntMutants(chooseMutants(ids), (outcome) => {
  const { mutant, found } = outcome;
  if (!options.json) console.error(`${mutant.id}: ${found?.message ?? 'survives'}`);
});
const findings = await huntSound(outcomes);

if (options.json) {
  console.log(JSON.stringify({ mutants: outcomes.map(toJson), findingsInSoundCode: findings }));
} else {
  const head = ['mutant', 'seeds', 'checker', 'step', 'seconds'];
  const lines = formatTable([head, ...outcomes.map(toRow)]);
  const bugs = ['bug', ...outcomes.map(({ mutant }) => mutant.bug)];
  for (const [index, line] of lines.entries()) console.log(`${line}  ${bugs[index]}`);
  for (const found of findings) console.log(`in the sound code: ${JSON.stringify(found)}`);
}
const isGood = findings.length === 0 && outcomes.every(({ isCaught }) => isCaught);
process.exitCode = isGood ? 0 : 1;

/** All, or those that are named. */
function chooseMutants(names: readonly string[]): readonly Mutant[] {
  for (const name of names) {
    if (!gallery.some(({ id }) => id === name)) throw new Error(`there is no mutant ${name}`);
  }
  return names.length === 0 ? gallery : gallery.filter(({ id }) => names.includes(id));
}

function toRow({ mutant, seedCount, found, isCaught, wallMs }: Outcome): string[] {
  const verdict = isCaught ? '' : ` (made for ${mutant.checkers.join(', ')})`;
  return [
    mutant.id,
    String(seedCount),
    found === null ? 'SURVIVES' : `${found.checker}${verdict}`,
    String(found?.step ?? ''),
    (wallMs / 1000).toFixed(1),
  ];
}

function toJson({ mutant, seedCount, found, isCaught, wallMs }: Outcome): object {
  const { id, bug, checkers } = mutant;
  return { id, bug, checkers, seedCount, found, isCaught, wallMs: Math.round(wallMs) };
}
