/**
 * The turns of the crash test, as a function of seed and number, so that the process that is killed and the one that
 * checks afterwards agree on what each turn wrote.
 */
import type { PartitionId, RecordKey } from '../../lib/address.ts';
import { Prng } from '../../lib/prng.ts';
import { keyOf, partitionId } from './store-fixture.ts';

export const storeNames = ['a', 'b', 'c'] as const;

export const partitionCount = 3;

/** So small that writing out, trimming and checkpoints are always under way. */
export const crashLimits = { bufferCountMax: 12, bufferBytesMax: 40_000 };

export interface Turn {
  readonly store: number;
  readonly puts: readonly { partition: PartitionId; key: RecordKey; record: Uint8Array }[];
}

/** What turn `number` puts, and into which of the stores. */
export function turnAt(seed: number, number: number): Turn {
  const random = new Prng(seed).split(`turn ${number}`);
  const puts = Array.from({ length: 1 + random.int(6) }, () => {
    const size = random.chance(0.05) ? random.int(40_000) : random.int(400);
    return {
      partition: partitionId(random.int(partitionCount)),
      key: keyOf(`key ${String.fromCharCode(random.int(80))}`),
      record: new Uint8Array(size + 4).fill(number & 0xff),
    };
  });
  for (const { record } of puts) new DataView(record.buffer).setUint32(0, number);
  return { store: random.int(storeNames.length), puts };
}
