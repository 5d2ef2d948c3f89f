/** What does the version of a record cost at its coordinator: decoding, the new dot, encoding? */
import {
  contextOf,
  decodeVersionSet,
  emptyVersionSet,
  encodeVersionSet,
  syncVersionSets,
  updateVersionSet,
} from '../../lib/clock/version-set.ts';
import { createActorId } from '../../lib/clock/version-vector.ts';
import { measure, repeat } from './harness.ts';

const COUNT = 1000;
const actor = createActorId(1, 12_345);
const sibling = { value: new Uint8Array(100), timestamp: 0 };
const set = updateVersionSet(emptyVersionSet(false), [], actor, sibling);
const next = updateVersionSet(set, contextOf(set), actor, sibling);
const record = encodeVersionSet(set);

await measure(
  'a record of one version, 100 bytes',
  {
    decode: () => repeat(COUNT, () => decodeVersionSet(record)),
    update: () => repeat(COUNT, () => updateVersionSet(set, contextOf(set), actor, sibling)),
    encode: () => repeat(COUNT, () => encodeVersionSet(next)),
    'sync with its successor': () => repeat(COUNT, () => syncVersionSets(set, next)),
  },
  COUNT,
);
