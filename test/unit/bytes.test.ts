/** Bytes: what a writer wrote a reader reads, and cut-off or senseless input throws. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import {
  allocateBytes,
  ByteReader,
  ByteWriter,
  binaryStringOf,
  bytesOfBinaryString,
  copyBytes,
  equalBytes,
  MalformedError,
  writeBinaryString,
} from '../../lib/bytes.ts';

/** One value of each kind that a writer takes. */
type Field =
  | { readonly kind: 'uint8' | 'uint16' | 'uint32' | 'float64' | 'varint'; readonly value: number }
  | { readonly kind: 'binaryString'; readonly value: string }
  | { readonly kind: 'blob' | 'raw'; readonly value: Uint8Array };

const binaryText = fc.uint8Array({ maxLength: 300 }).map(binaryStringOf);

const anyField: fc.Arbitrary<Field> = fc.oneof(
  fc.record({ kind: fc.constant('uint8' as const), value: fc.nat(0xff) }),
  fc.record({ kind: fc.constant('uint16' as const), value: fc.nat(0xffff) }),
  fc.record({
    kind: fc.constant('uint32' as const),
    value: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  }),
  fc.record({ kind: fc.constant('float64' as const), value: fc.double() }),
  fc.record({ kind: fc.constant('varint' as const), value: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('binaryString' as const), value: binaryText }),
  fc.record({ kind: fc.constantFrom('blob' as const, 'raw' as const), value: fc.uint8Array() }),
);

function write(writer: ByteWriter, field: Field): void {
  switch (field.kind) {
    case 'binaryString':
      return writer.binaryString(field.value);
    case 'blob':
    case 'raw':
      return writer[field.kind](field.value);
    default:
      return writer[field.kind](field.value);
  }
}

function read(reader: ByteReader, field: Field): unknown {
  return field.kind === 'raw' ? reader.raw(field.value.length) : reader[field.kind]();
}

function encode(fields: readonly Field[], capacity?: number): Uint8Array {
  const writer = new ByteWriter(capacity);
  for (const field of fields) write(writer, field);
  return writer.take();
}

testProp(
  'what was written is read, whatever the buffer began with',
  [fc.array(anyField), fc.constantFrom(0, 1, 8, 1024)],
  (t, fields, capacity) => {
    const reader = new ByteReader(encode(fields, capacity));
    for (const field of fields) t.deepEqual(read(reader, field), field.value);
    t.true(reader.isAtEnd);
  },
);

testProp(
  'a reader sees its part of a larger buffer and nothing else',
  [fc.array(anyField), fc.nat(20), fc.nat(20)],
  (t, fields, before, after) => {
    const encoded = encode(fields);
    const larger = new Uint8Array(before + encoded.length + after).fill(0xff);
    larger.set(encoded, before);
    const views = [
      new ByteReader(larger, before, before + encoded.length),
      new ByteReader(larger.subarray(before, before + encoded.length)),
    ];
    for (const reader of views) {
      for (const field of fields) t.deepEqual(read(reader, field), field.value);
      t.true(reader.isAtEnd);
      t.throws(() => reader.uint8(), { instanceOf: MalformedError });
    }
  },
);

testProp('input that is cut off throws, and is not read past', [anyField], (t, field) => {
  const encoded = encode([field]);
  for (let length = 0; length < encoded.length; length++) {
    const reader = new ByteReader(encoded, 0, length);
    t.throws(() => read(reader, field), { instanceOf: MalformedError });
    t.true(reader.offset <= length);
  }
  t.true(new ByteReader(encoded, 0, 0).isAtEnd);
});

testProp('random input is read or throws MalformedError', [fc.uint8Array()], (t, input) => {
  for (const kind of ['varint', 'binaryString', 'blob', 'float64', 'uint32', 'uint16'] as const) {
    const reader = new ByteReader(input);
    try {
      while (!reader.isAtEnd) reader[kind]();
    } catch (error) {
      t.true(error instanceof MalformedError, String(error));
    }
    t.true(reader.offset <= input.length);
  }
  t.pass();
});

const varints: readonly [value: number, size: number][] = [
  [0, 1],
  [0x7f, 1],
  [0x80, 2],
  [2 ** 14 - 1, 2],
  [2 ** 14, 3],
  [2 ** 31 - 1, 5],
  [2 ** 31, 5],
  [2 ** 35, 6],
  [2 ** 49, 8],
  [Number.MAX_SAFE_INTEGER, 8],
];

for (const [value, size] of varints) {
  test(`the number ${value} takes ${size} bytes`, (t) => {
    const encoded = encode([{ kind: 'varint', value }]);
    t.is(encoded.length, size);
    t.is(new ByteReader(encoded).varint(), value);
  });
}

test('a number beyond 2^53 - 1 is malformed', (t) => {
  const most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
  t.is(new ByteReader(Uint8Array.from([...most, 0x0f])).varint(), Number.MAX_SAFE_INTEGER);
  for (const end of [[0x10], [0x7f], [0x80], [0xff, 0x01]]) {
    const reader = new ByteReader(Uint8Array.from([...most, ...end]));
    t.throws(() => reader.varint(), { instanceOf: MalformedError, message: /out of range/ });
  }
});

test('a length that reaches beyond the end is malformed and allocates nothing', (t) => {
  const huge = encode([{ kind: 'varint', value: Number.MAX_SAFE_INTEGER }]);
  for (const kind of ['blob', 'binaryString'] as const) {
    t.throws(() => new ByteReader(huge)[kind](), { instanceOf: MalformedError });
  }
  t.throws(() => new ByteReader(huge).skip(huge.length + 1), { instanceOf: MalformedError });
});

test('lengths can be written afterwards', (t) => {
  const writer = new ByteWriter(1);
  writer.uint32(0);
  writer.float64(0);
  writer.uint8(7);
  writer.patchUint32(0, 0xdeadbeef);
  writer.patchFloat64(4, -1.5);
  const reader = new ByteReader(writer.take());
  t.deepEqual([reader.uint32(), reader.float64(), reader.uint8()], [0xdeadbeef, -1.5, 7]);
  writer.uint16(1);
  t.throws(() => writer.patchUint32(0, 1), { name: 'AssertionError' });
});

test('a writer that was emptied begins anew, and what was taken stays', (t) => {
  const writer = new ByteWriter();
  writer.raw(Uint8Array.of(1, 2, 3));
  const taken = writer.take();
  t.is(taken.byteLength, taken.buffer.byteLength, 'it may be transferred');
  writer.raw(Uint8Array.of(9, 9));
  const small = writer.takeSmall();
  writer.raw(new Uint8Array(5000));
  writer.reset(1024);
  t.is(writer.length, 0);
  writer.raw(Uint8Array.of(4));
  t.deepEqual([[...taken], [...small], [...writer.peek()]], [[1, 2, 3], [9, 9], [4]]);
});

testProp('bytes and binary strings are one to one', [fc.uint8Array()], (t, bytes) => {
  const text = binaryStringOf(bytes);
  t.is(text.length, bytes.length);
  t.deepEqual(bytesOfBinaryString(text), bytes);
  const target = new Uint8Array(bytes.length + 2).fill(0xaa);
  writeBinaryString(target, 1, text);
  t.deepEqual([...target], [0xaa, ...bytes, 0xaa], 'nothing beside it is touched');
});

testProp('equal bytes are equal, others are not', [fc.uint8Array(), fc.uint8Array()], (t, a, b) => {
  t.is(equalBytes(a, b), Buffer.compare(a, b) === 0);
  t.true(equalBytes(a, a.slice()));
});

testProp(
  'rooms cut from one block do not overlap',
  [fc.array(fc.integer({ min: 0, max: 9000 }), { minLength: 1, maxLength: 40 })],
  (t, sizes) => {
    const rooms = sizes.map((size, index) => allocateBytes(size).fill(index));
    for (const [index, room] of rooms.entries()) {
      t.is(room.length, sizes[index]!);
      t.true(room.every((byte) => byte === index));
    }
  },
);

test('a copy is apart from its source', (t) => {
  const source = Uint8Array.of(1, 2, 3);
  const copy = copyBytes(source);
  source.fill(0);
  t.deepEqual([...copy], [1, 2, 3]);
});
