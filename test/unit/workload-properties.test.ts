/** Property files and the settings made of them. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { parseOverride, parseProperties } from '../../lib/workload/properties.ts';
import { resolveWorkload } from '../../lib/workload/settings.ts';
import { standardWorkloads } from '../../lib/workload/standard.ts';

const texts: [title: string, text: string, expected: [string, string][]][] = [
  ['nothing', '', []],
  ['blank lines and comments', '\n  \t\n# a=1\n  ! b=2\n', []],
  [
    'the three separators',
    'a=1\nb:2\nc 3',
    [
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
    ],
  ],
  [
    'space around separators',
    '  a = 1\nb :2\nc \t 3',
    [
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
    ],
  ],
  ['only one separator is eaten', 'a = = b', [['a', '= b']]],
  [
    'a name alone',
    'a\nb=',
    [
      ['a', ''],
      ['b', ''],
    ],
  ],
  [
    'all line ends',
    'a=1\r\nb=2\rc=3\n',
    [
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
    ],
  ],
  [
    'a continued line',
    'a=1,\\\n    2,\\\n    3\nb=4',
    [
      ['a', '1,2,3'],
      ['b', '4'],
    ],
  ],
  [
    'a backslash that does not continue',
    'a=1\\\\\nb=2',
    [
      ['a', '1\\'],
      ['b', '2'],
    ],
  ],
  ['a comment is not continued', '# x\\\na=1', [['a', '1']]],
  ['a continued line at the end of the file', 'a=1\\', [['a', '1']]],
  ['an escaped separator belongs to the name', 'a\\=b\\:c\\ d=1', [['a=b:c d', '1']]],
  ['escapes', 'a=\\t\\u0041\\n\\q', [['a', '\tA\nq']]],
  ['a # in a value', 'a=1 # 2', [['a', '1 # 2']]],
  ['a later line wins', 'a=1\na=2', [['a', '2']]],
];

for (const [title, text, expected] of texts) {
  test(`property file: ${title}`, (t) => {
    t.deepEqual([...parseProperties(text, 'w')], expected);
  });
}

test('property file: what is wrong is named with file and line', (t) => {
  t.throws(() => parseProperties('a=1\n\n=2', 'w.txt'), { message: /^w\.txt:3: / });
  t.throws(() => parseProperties('a=1\\\n2\nb=\\u12', 'w.txt'), { message: /^w\.txt:3: / });
});

test('override: the first = separates', (t) => {
  t.deepEqual(parseOverride('a=b=c'), ['a', 'b=c']);
  t.deepEqual(parseOverride(' a = '), ['a', '']);
  for (const text of ['', 'a', '=b'])
    t.throws(() => parseOverride(text), { code: 'RINGLET_OPTION_INVALID' });
});

function settingsOf(text: string) {
  return resolveWorkload(parseProperties(text, 'w'));
}

test('settings: the defaults are those of the core workload', (t) => {
  const settings = settingsOf('');
  t.is(settings.table, 'usertable');
  t.is(settings.fieldCount, 10);
  t.is(settings.fieldLengthMax, 100);
  t.is(settings.requestDistribution, 'uniform');
  t.true(settings.isKeyHashed);
  t.is(settings.proportions.READ, 0.95);
  t.is(settings.targetPerSecond, null);
});

test('settings: proportions are shares of their sum', (t) => {
  const { proportions } = settingsOf('readproportion=0.2\nupdateproportion=0.2');
  t.is(proportions.READ, 0.5);
  t.is(proportions.UPDATE, 0.5);
  t.is(proportions.INSERT, 0);
});

const refusals: [text: string, code: string, message: RegExp][] = [
  ['recordcuont=5', 'RINGLET_OPTION_UNKNOWN', /`recordcuont`, did you mean `recordcount`\?/],
  ['completely.different=5', 'RINGLET_OPTION_UNKNOWN', /`completely\.different` \(/],
  ['recordcount=0', 'RINGLET_OPTION_INVALID', /recordcount: got "0"/],
  ['recordcount=1e3x', 'RINGLET_OPTION_INVALID', /recordcount/],
  ['recordcount=', 'RINGLET_OPTION_INVALID', /recordcount/],
  ['operationcount=2.5', 'RINGLET_OPTION_INVALID', /operationcount/],
  ['readproportion=1.5', 'RINGLET_OPTION_INVALID', /from 0 to 1/],
  ['readproportion=0\nupdateproportion=0', 'RINGLET_OPTION_INVALID', /nothing to do/],
  ['scanproportion=0.95', 'RINGLET_OPTION_INVALID', /scans are not supported yet/],
  ['requestdistribution=zipf', 'RINGLET_OPTION_INVALID', /one of uniform, zipfian, latest/],
  ['fieldlengthdistribution=histogram', 'RINGLET_OPTION_INVALID', /fieldlengthdistribution/],
  ['insertstart=900\ninsertcount=200', 'RINGLET_OPTION_INVALID', /insertstart \+ insertcount/],
  ['dataintegrity=true', 'RINGLET_OPTION_INVALID', /dataintegrity/],
];

for (const [text, code, message] of refusals) {
  test(`settings: ${JSON.stringify(text)} is refused`, (t) => {
    t.throws(() => settingsOf(text), { code, message });
  });
}

for (const name of ['a', 'b', 'c', 'd', 'f']) {
  test(`settings: core workload ${name} is taken as it is`, (t) => {
    const settings = resolveWorkload(standardWorkloads.get(`workload${name}`)!);
    t.is(settings.recordCount, 1000);
    t.is(settings.requestDistribution, name === 'd' ? 'latest' : 'zipfian');
    t.is(settings.proportions['READ-MODIFY-WRITE'], name === 'f' ? 0.5 : 0);
  });
}

test('settings: core workload e is refused because of its scans', (t) => {
  const workload = standardWorkloads.get('workloade')!;
  t.throws(() => resolveWorkload(workload), { message: /scans are not supported yet/ });
});

const ycsbFolder = join(process.env.RINGLET_DATA ?? '', 'ycsb');
const hasFiles = process.env.RINGLET_DATA !== undefined && existsSync(ycsbFolder);

test('core workloads: there are six', (t) => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `workload${name}`);
  t.deepEqual([...standardWorkloads.keys()], names);
});

for (const [name, properties] of standardWorkloads) {
  test(`core workloads: ${name} says what its file says`, async (t) => {
    if (!hasFiles) {
      t.log('skipped: RINGLET_DATA names no folder with ycsb/');
      return t.pass();
    }
    const text = await readFile(join(ycsbFolder, name), 'utf8');
    t.deepEqual(Object.fromEntries(properties), Object.fromEntries(parseProperties(text, name)));
  });
}
