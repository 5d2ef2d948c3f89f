/** What does it cost to pack a message into a frame and to read it again? */
import type { PartitionId, RecordKey, RequestId } from '../../lib/address.ts';
import { nodeAddress } from '../../lib/address.ts';
import { FrameBuilder, readFrame } from '../../lib/protocol/frame.ts';
import { replicaPut, replicaPutReply } from '../../lib/protocol/messages.ts';
import { measure } from './harness.ts';

const COUNT = 128;
const [source, target] = [nodeAddress(0), nodeAddress(1)];
const put = replicaPut(
  7 as RequestId,
  3 as PartitionId,
  '\u0005bench0123456789abcdef' as RecordKey,
  new Uint8Array(114),
);
const reply = replicaPutReply(7 as RequestId, 'stored', 3);
const builder = new FrameBuilder();

function pack(message: typeof put | typeof reply): Uint8Array {
  for (let count = 0; count < COUNT; count++) builder.add(source, target, message);
  return builder.take(0);
}

const putFrame = pack(put);
const replyFrame = pack(reply);
const quiet = { deliver() {}, malformed() {} };

await measure(
  `messages in frames of ${COUNT}`,
  {
    'pack ReplicaPut': () => pack(put),
    'read ReplicaPut': () => readFrame(putFrame, quiet),
    'pack ReplicaPutReply': () => pack(reply),
    'read ReplicaPutReply': () => readFrame(replyFrame, quiet),
  },
  COUNT,
);
