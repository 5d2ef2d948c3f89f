/** The data directory: names, links, the lock, and what is fixed for the cluster inside. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { isRingletError } from '../../lib/errors.ts';
import {
  type ClusterShape,
  type DataDirectoryOptions,
  openDataDirectory,
} from '../../workers/data-directory.ts';
import { temporaryFolder } from '../helpers/store-fixture.ts';

const options: DataDirectoryOptions = {
  shape: {
    seed: 42,
    partitions: 64,
    nodes: [
      { id: 'a', weight: 1 },
      { id: 'b', weight: 1 },
    ],
    replicationFactor: 2,
  },
  asked: [],
};

test('a directory is made for its owner alone and remembers its cluster', (t) => {
  const folder = path.join(temporaryFolder(t), 'some', 'data');
  const first = openDataDirectory(folder, options);
  t.is(first.shape.seed, 42);
  t.regex(first.clusterId, /^[0-9a-f]{32}$/);
  t.true(first.bootId.length > 0);
  t.is(first.storePath('a'), path.join(first.path, 'a.db'));
  t.throws(() => first.storePath('../a'), { code: 'RINGLET_NODE_ID' });
  t.is(first.markPath('a'), path.join(first.path, 'marks', 'a.mark'));
  t.throws(() => first.markPath('../a'), { code: 'RINGLET_NODE_ID' });
  if (process.platform !== 'win32') {
    t.is(fs.statSync(folder).mode & 0o777, 0o700);
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const mode = fs.statSync(path.join(folder, entry.name)).mode & 0o777;
      t.is(mode, entry.isDirectory() ? 0o700 : 0o600, entry.name);
    }
  }
  first.close();

  const again = openDataDirectory(folder, {
    ...options,
    shape: { ...options.shape, seed: 43, partitions: 128 },
  });
  t.is(again.clusterId, first.clusterId);
  t.deepEqual(again.shape, options.shape, 'what was not asked for is taken as it is found');
  again.close();
});

test('a temporary directory goes when it is closed', (t) => {
  const directory = openDataDirectory(null, options);
  fs.writeFileSync(directory.storePath('a'), 'x');
  t.true(fs.existsSync(directory.path));
  directory.close();
  t.false(fs.existsSync(directory.path));
});

const badNames = {
  empty: '',
  'a NUL byte': 'a\0b',
  'a space at the end': '/tmp/ringlet ',
  'a line feed at the start': '\n/tmp/ringlet',
  'a URI': 'file:data?vfs=unix-none',
  'a name of SQLite': ':memory:',
};

for (const [title, name] of Object.entries(badNames)) {
  test(`a name is refused: ${title}`, (t) => {
    const error = t.throws(() => openDataDirectory(name, options), {
      code: 'RINGLET_DATADIR_NAME',
    });
    t.true(error?.message.includes(JSON.stringify(name)));
  });
}

test.serial('nothing is opened while SQLite reads names as URIs', (t) => {
  process.env.SQLITE_USE_URI = '1';
  try {
    t.throws(() => openDataDirectory(null, options), { code: 'RINGLET_DATADIR_NAME' });
  } finally {
    delete process.env.SQLITE_USE_URI;
  }
});

test('what is not a directory, or cannot be made, is named', (t) => {
  const file = path.join(temporaryFolder(t), 'file');
  fs.writeFileSync(file, '');
  for (const name of [file, path.join(file, 'below'), '/proc/ringlet/data']) {
    const error = t.throws(() => openDataDirectory(name, options), { code: 'RINGLET_DATADIR' });
    t.true(error?.message.includes(JSON.stringify(name)), name);
  }
});

test('a directory that may not be written is refused', (t) => {
  const folder = temporaryFolder(t);
  fs.chmodSync(folder, 0o500);
  try {
    const isRoot = process.getuid?.() === 0;
    if (isRoot) t.notThrows(() => openDataDirectory(folder, options).close());
    else t.throws(() => openDataDirectory(folder, options), { code: 'RINGLET_DATADIR' });
  } finally {
    fs.chmodSync(folder, 0o700);
  }
});

test('links are refused', (t) => {
  const folder = temporaryFolder(t);
  const data = path.join(folder, 'data');
  openDataDirectory(data, options).close();
  fs.symlinkSync(data, path.join(folder, 'link'));
  for (const name of ['link', `link${path.sep}`]) {
    t.throws(() => openDataDirectory(path.join(folder, name), options), {
      code: 'RINGLET_DATADIR_LINK',
    });
  }
  for (const name of ['a.db', 'b.db-wal', 'marks/a.mark', 'cluster.json', 'ringlet.lock']) {
    const other = path.join(folder, path.basename(name));
    const inside = path.join(data, name);
    if (fs.existsSync(inside)) fs.renameSync(inside, other);
    else fs.writeFileSync(other, '');
    for (const link of [fs.symlinkSync, fs.linkSync]) {
      link(other, inside);
      t.throws(() => openDataDirectory(data, options), { code: 'RINGLET_DATADIR_LINK' }, name);
      fs.rmSync(inside);
    }
    if (name === 'cluster.json' || name === 'ringlet.lock') fs.renameSync(other, inside);
  }
  t.notThrows(() => openDataDirectory(data, options).close());
});

test('one process opens a directory once', (t) => {
  const folder = temporaryFolder(t);
  const first = openDataDirectory(folder, options);
  for (let attempt = 0; attempt < 2; attempt++) {
    const error = t.throws(() => openDataDirectory(folder, options), {
      code: 'RINGLET_DATADIR_LOCKED',
    });
    t.true(error?.message.includes(String(process.pid)));
  }
  first.close();
  openDataDirectory(folder, options).close();
});

test('another process is named while it lives, and its lock goes with it', async (t) => {
  const folder = temporaryFolder(t);
  const module = new URL('../../workers/data-directory.ts', import.meta.url).href;
  const program = `
    import { openDataDirectory } from ${JSON.stringify(module)};
    openDataDirectory(${JSON.stringify(folder)}, ${JSON.stringify(options)});
    process.stdout.write('open');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  await once(child.stdout, 'data');
  const error = t.throws(() => openDataDirectory(folder, options), {
    code: 'RINGLET_DATADIR_LOCKED',
  });
  t.true(error?.message.includes(`process ${child.pid}`));
  child.kill('SIGKILL');
  await exit;
  t.notThrows(() => openDataDirectory(folder, options).close());
});

test('settings that a directory was not made with are refused', (t) => {
  const folder = temporaryFolder(t);
  openDataDirectory(folder, options).close();
  const asked = ['seed', 'partitions', 'nodes'] as const;
  const heavier = [{ id: 'a', weight: 2 }, options.shape.nodes[1]!];
  const changes: [string, Partial<ClusterShape>][] = [
    ['RINGLET_RING_SIZE', { partitions: 128 }],
    ['RINGLET_DATADIR_FOREIGN', { seed: 8 }],
    ['RINGLET_DATADIR_FOREIGN', { nodes: [...options.shape.nodes, { id: 'c', weight: 1 }] }],
    ['RINGLET_DATADIR_FOREIGN', { nodes: heavier }],
  ];
  for (const [code, change] of changes) {
    const shape = { ...options.shape, ...change };
    t.throws(() => openDataDirectory(folder, { shape, asked }), { code });
  }
  openDataDirectory(folder, { ...options, asked }).close();
});

test('an unreadable or newer cluster.json is refused and kept', (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'cluster.json');
  openDataDirectory(folder, options).close();
  const sound = fs.readFileSync(file, 'utf8');
  const contents = {
    '': 'RINGLET_STORE_CORRUPT',
    '{"format":1': 'RINGLET_STORE_CORRUPT',
    null: 'RINGLET_STORE_CORRUPT',
    '{"format":1,"clusterId":"x"}': 'RINGLET_STORE_CORRUPT',
    [sound.replace('42', '"42"')]: 'RINGLET_STORE_CORRUPT',
    '{"format":2}': 'RINGLET_FORMAT_NEWER',
  };
  for (const [content, code] of Object.entries(contents)) {
    fs.writeFileSync(file, content);
    const error = t.throws(() => openDataDirectory(folder, options), { code }, content);
    t.true(isRingletError(error));
    t.is(fs.readFileSync(file, 'utf8'), content);
  }
  fs.writeFileSync(file, sound);
  t.notThrows(() => openDataDirectory(folder, options).close());
});
