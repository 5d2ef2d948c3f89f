/**
 * The gallery of mutants as a test: every mutant still has its place in the sources, and the simulator finds it. `npm run mutants`
 * prints how.
 */
import test from 'ava';
import ts from 'typescript';
import { readText } from '../helpers/tidy-sources.ts';
import { gallery } from './gallery.ts';
import { huntMutants, huntSound, invariantOf } from './hunt.ts';
import { applyChanges } from './loader.ts';

/** What `lib/sim/` checks. Counters and hash trees, I9 and I11, are not there yet. */
const invariants = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 14, 15, 16, 17, 18].map((n) => `I${n}`);

test('every mutant is a program, and another one than the sound code', (t) => {
  for (const { id, changes } of gallery) {
    for (const { file } of changes) {
      const sound = readText(file);
      const mutated = applyChanges(file, sound, changes);
      t.not(mutated, sound, id);
      const { diagnostics } = ts.transpileModule(mutated, { reportDiagnostics: true });
      t.deepEqual(diagnostics, [], id);
    }
  }
});

test('a mutant whose place is gone, or is not the only one, does not apply', (t) => {
  const change = { file: 'a.ts', replace: 'x', by: 'y' };
  t.is(applyChanges('a.ts', 'x', [change]), 'y');
  t.throws(() => applyChanges('a.ts', 'z', [change]), { message: /there are 0 places/ });
  t.throws(() => applyChanges('a.ts', 'x x', [change]), { message: /there are 2 places/ });
});

test('mutants have names of their own', (t) => {
  t.is(new Set(gallery.map(({ id }) => id)).size, gallery.length);
});

test('every mutant is found, every checker finds one, and nothing is found in the sound code', async (t) => {
  const outcomes = await huntMutants(gallery);
  const missed = outcomes.filter(({ isCaught }) => !isCaught);
  t.deepEqual(
    missed.map(({ mutant, found }) => `${mutant.id}: ${found?.checker ?? 'survives'}`),
    [],
  );
  const idle = new Set(invariants);
  for (const { found } of outcomes) idle.delete(invariantOf(found!));
  t.deepEqual([...idle], [], 'checkers that found nothing');
  t.deepEqual(await huntSound(outcomes), []);
});
