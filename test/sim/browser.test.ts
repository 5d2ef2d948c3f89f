/**
 * The simulator in a browser: it needs nothing of Node.js, and a seed is the same run there, to the last message.
 *
 * The browser is the command that RINGLET_BROWSER names, or a Chromium that is installed. Without one, only what the entry
 * imports is checked.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import ts from 'typescript';
import { seedFingerprints } from '../helpers/browser-seeds.ts';
import { placeOf } from '../helpers/tidy-layers.ts';
import { isThere, parseSource, readText } from '../helpers/tidy-sources.ts';

/** The entry and all that it imports, directly or not, types aside. */
function closureOf(entry: string): Map<string, readonly string[]> {
  const closure = new Map<string, readonly string[]>();
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (closure.has(file)) continue;
    const imports = parseSource(file, readText(file)).imports.filter(
      ({ isTypeOnly }) => !isTypeOnly,
    );
    closure.set(
      file,
      imports.flatMap(({ path: own, specifier }) => (own === null ? [specifier] : [])),
    );
    for (const { path: own } of imports) if (own !== null) waiting.push(own);
  }
  return closure;
}

test('the simulator imports nothing of Node.js, no package, and nothing of the threads', (t) => {
  const closure = closureOf('lib/simulator.ts');
  t.true(closure.size > 50, 'it is more than the entry');
  for (const [file, foreign] of closure) {
    t.deepEqual(foreign, [], file);
    t.not(placeOf(file)?.member, 'workers/', file);
  }
  const threads = closureOf('lib/index.ts');
  t.true([...threads.values()].flat().length > 0, 'the other entry does');
});

const names = ['chromium', 'chromium-browser', 'google-chrome'];

/** The command of a browser, or `null`. */
function findBrowser(): string | null {
  const { RINGLET_BROWSER: given, PATH = '' } = process.env;
  if (given !== undefined) return given;
  const candidates = PATH.split(path.delimiter).flatMap((folder) =>
    names.map((name) => path.join(folder, name)),
  );
  return candidates.find((candidate) => fs.existsSync(candidate)) ?? null;
}

const page = `<!doctype html><meta charset="utf-8"><title>seeds</title><script type="module">
const answer = (text) => fetch('/answer', { method: 'POST', body: text });
addEventListener('error', ({ message }) => answer(JSON.stringify(message)));
try {
  const { seedFingerprints } = await import('/test/helpers/browser-seeds.ts');
  await answer(JSON.stringify(await seedFingerprints()));
} catch (error) {
  await answer(JSON.stringify(String(error?.stack ?? error)));
}
</script>`;

/** Only types go. */
const compilerOptions: ts.CompilerOptions = {
  module: ts.ModuleKind.ESNext,
  target: ts.ScriptTarget.ESNext,
  verbatimModuleSyntax: true,
};

/** Serves the page and the sources, and takes the page's answer. */
async function serve(): Promise<{ url: string; answer: Promise<unknown>; close: () => void }> {
  const { promise: answer, resolve } = Promise.withResolvers<unknown>();
  const server = http.createServer((request, response) => {
    const file = path.posix.normalize(request.url ?? '').slice(1);
    if (request.method === 'POST') {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        resolve(JSON.parse(Buffer.concat(parts).toString()));
        response.end();
      });
    } else if (file === '') {
      response.setHeader('content-type', 'text/html').end(page);
    } else if (file.endsWith('.ts') && !file.startsWith('.') && isThere(file)) {
      const { outputText } = ts.transpileModule(readText(file), { compilerOptions });
      response.setHeader('content-type', 'text/javascript').end(outputText);
    } else {
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}/`, answer, close };
}

test('seeds have the same fingerprints in a browser', async (t) => {
  t.timeout(120_000);
  const browser = findBrowser();
  if (browser === null) {
    t.log('there is no browser: set RINGLET_BROWSER to the command of one');
    t.pass();
    return;
  }
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'ringlet-browser-'));
  const { url, answer, close } = await serve();
  const options = ['--headless', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
  // A browser that root starts refuses to run in its sandbox. It opens this page alone.
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const child = spawn(browser, [...options, ...sandbox, `--user-data-dir=${profile}`, url], {
    stdio: 'ignore',
    detached: true,
  });
  const ended = once(child, 'exit');
  // The browser and the processes that it started are a group of their own.
  const stop = () => process.kill(-child.pid!, 'SIGKILL');
  process.once('exit', stop);
  try {
    const gone = ended.then(() => 'the browser ended without an answer');
    t.deepEqual(await Promise.race([answer, gone]), await seedFingerprints());
  } finally {
    close();
    process.off('exit', stop);
    if (child.exitCode === null) stop();
    await ended;
    fs.rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  }
});
