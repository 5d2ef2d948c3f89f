/** From which length on does a call into native code beat a loop over the characters? */
import { readBinaryString, writeBinaryString } from '../../lib/bytes.ts';
import { measure, repeat } from './harness.ts';

const COUNT = 1000;
const target = new Uint8Array(256);

function writeInLoop(text: string): void {
  for (let index = 0; index < text.length; index++) target[index] = text.charCodeAt(index);
}

for (const length of [8, 12, 16, 24, 64]) {
  const text = 'k'.repeat(length);
  const native = Buffer.from(target.buffer);
  await measure(
    `a binary string of ${length} bytes`,
    {
      'write in a loop': () => repeat(COUNT, () => writeInLoop(text)),
      'Buffer.write': () => repeat(COUNT, () => native.write(text, 0, length, 'latin1')),
      writeBinaryString: () => repeat(COUNT, () => writeBinaryString(target, 0, text)),
      readBinaryString: () => repeat(COUNT, () => readBinaryString(target, 0, length)),
    },
    COUNT,
  );
}
