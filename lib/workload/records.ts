/**
 * Keys and values of a workload's records.
 *
 * A record is one value: its fields, each as name and contents with their lengths before them. Values come from a
 * pool that is made beforehand, so that a measured operation does not pay for random bytes. Nobody changes a
 * value after it was made.
 */
import { ByteReader, ByteWriter } from '../bytes.ts';
import type { Prng } from '../prng.ts';
import { fnv64, fnvDecimal } from './fnv.ts';
import {
  ConstantGenerator,
  type NumberGenerator,
  UniformGenerator,
  ZipfianGenerator,
} from './generators.ts';
import type { WorkloadSettings } from './settings.ts';

/** Bytes that a pool of values may take. */
const POOL_BYTES_MAX = 4 * 1024 * 1024;
const POOL_COUNT_MAX = 256;

/** The key of record `index`: `user` and its number, or the hash of it. */
export function recordName(settings: WorkloadSettings, index: number): string {
  const digits = settings.isKeyHashed ? fnvDecimal(fnv64(index)) : String(index);
  return `user${digits.padStart(settings.keyDigitsMin, '0')}`;
}

/** Values made beforehand, to be drawn from at random. Never empty. */
export function createValuePool(settings: WorkloadSettings, random: Prng): Uint8Array[] {
  const lengths = createLengthGenerator(settings, random);
  const sizeMax = settings.fieldCount * settings.fieldLengthMax;
  const count = Math.max(1, Math.min(POOL_COUNT_MAX, Math.floor(POOL_BYTES_MAX / sizeMax)));
  return Array.from({ length: count }, () => createValue(settings, lengths, random));
}

function createLengthGenerator(settings: WorkloadSettings, random: Prng): NumberGenerator {
  const { fieldLengthMin: min, fieldLengthMax: max } = settings;
  switch (settings.fieldLengthDistribution) {
    case 'constant':
      return new ConstantGenerator(max);
    case 'uniform':
      return new UniformGenerator(random, min, max - min + 1);
    case 'zipfian': {
      const zipfian = new ZipfianGenerator(random, max - min + 1);
      return { next: () => min + zipfian.next() };
    }
  }
}

function createValue(
  settings: WorkloadSettings,
  lengths: NumberGenerator,
  random: Prng,
): Uint8Array {
  const writer = new ByteWriter();
  for (let field = 0; field < settings.fieldCount; field++) {
    writer.binaryString(settings.fieldNamePrefix + field);
    writer.blob(printableBytes(lengths.next(), random));
  }
  return writer.take();
}

function printableBytes(length: number, random: Prng): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = 0x20 + random.int(0x5f);
  return bytes;
}

/**
 * The fields of a value.
 *
 * @throws {MalformedError} if the bytes are no record
 */
export function decodeValue(value: Uint8Array): Map<string, Uint8Array> {
  const reader = new ByteReader(value);
  const fields = new Map<string, Uint8Array>();
  while (!reader.isAtEnd) {
    const name = reader.binaryString();
    fields.set(name, reader.blob());
  }
  return fields;
}
