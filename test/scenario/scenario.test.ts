/**
 * Runs every script of this folder: what its commands print must be what it says. After a change that was meant,
 * `npm run scenarios -- --rewrite` writes what they print now; the difference is read in review.
 */
import fs from 'node:fs';
import test from 'ava';
import { runScript } from '../helpers/scenario-script.ts';

const folder = new URL('.', import.meta.url);
const shouldRewrite = process.argv.includes('--rewrite');

const names = fs
  .readdirSync(folder)
  .filter((file) => file.endsWith('.txt'))
  .map((file) => file.slice(0, -'.txt'.length))
  .sort();

for (const name of names) {
  test(name, (t) => {
    const file = new URL(`${name}.txt`, folder);
    const written = fs.readFileSync(file, 'utf8');
    const now = runScript(`test/scenario/${name}.txt`, written);
    if (shouldRewrite) fs.writeFileSync(file, now);
    else
      t.is(now, written, 'its commands print something else: see how to rewrite it in this test');
    t.pass();
  });
}

/** A script with one block after the one that opens the cluster; its first command is on line 5. */
function scriptOf(...commands: string[]): string {
  return ['cluster nodes=3', '----', 'ok', '', ...commands, '----', ''].join('\n');
}

test('a script that is run again is its own result', (t) => {
  const once = runScript('s.txt', scriptOf('put k v coordinator=b', 'quiet', 'show k'));
  t.regex(once, /^put k v: stored by b \[b1:1]\nb c a {2}\{b1:1="v" \| \[b1:1]\}$/m);
  t.is(runScript('s.txt', once), once);
});

test('what a script says its commands print is replaced, comments and blank lines are kept', (t) => {
  const script = '# one\ncluster nodes=1\n----\nold\nlines\n\n# two\n\nnodes\n# three\n----\nold\n';
  const expected = '# one\ncluster nodes=1\n----\nok\n\n# two\n\nnodes\n# three\n----\na up\n';
  t.is(runScript('s.txt', script), expected);
});

test('`repeat` prints the last round alone', (t) => {
  const script = scriptOf('repeat 3', 'put k v coordinator=a', 'show k');
  t.regex(runScript('s.txt', script), /----\nput k v: .*\n.*a1:3="v" a1:2="v" a1:1="v".*\n$/);
});

const wrong: readonly (readonly [command: string, message: string])[] = [
  ['ptu k v', 'unknown command `ptu`, did you mean `put`?'],
  ['toString', 'unknown command `toString`'],
  ['crash', 'usage: crash NODES'],
  ['show k l', 'usage: show KEY'],
  ['put k v contxt=x', 'unknown option `contxt`, did you mean `context`?; usage: put KEY VALUE'],
  ['put k v context=x', 'there is no context x'],
  ['put k v w=4', 'W=4 > N=3'],
  ['crash d', 'there is no node d'],
  ['restart a', 'a is up: crash it first'],
  ['rot a k', 'a has no record of k'],
  ['run 5', 'got 5, expected a time such as 5ms, 2s, 1h'],
  ['repeat x run 1ms', 'usage: repeat COUNT'],
  ['drop ReplicaPit a -> b', 'unknown message kind "ReplicaPit", did you mean `ReplicaPut`?'],
  ['block a b', 'usage: block NODES -> NODES'],
  ['counters hedgeCoutn', 'there is no counter hedgeCoutn, did you mean `hedgeCount`?'],
  ['cluster nodse=3', 'unknown option "nodse", did you mean `nodes`?'],
  ['expect k = v', 'b holds (nothing), not v'],
  ['start put k', 'expected put KEY VALUE, delete KEY or get KEY [all]'],
];

for (const [command, message] of wrong) {
  test(`a script is told what is wrong with \`${command}\`, and where`, (t) => {
    const error = t.throws(() => runScript('s.txt', scriptOf(command)), { name: 'ScriptError' });
    t.true(error?.message.startsWith(`s.txt:5: ${message}`), error?.message);
  });
}

test('a script does not end while a request is under way', (t) => {
  const script = scriptOf('start put k v', 'run 0ms', 'start put k v');
  t.throws(() => runScript('s.txt', script), { message: 's.txt:9: requests under way: 1' });
});

test('a block without its end is refused', (t) => {
  const script = 'cluster nodes=1\n\n----\n';
  t.throws(() => runScript('s.txt', script), {
    message: /^s\.txt:1: a block of commands ends with/,
  });
});
