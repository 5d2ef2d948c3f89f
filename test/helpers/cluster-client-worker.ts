/**
 * A worker thread of an application that uses a cluster through a port it is given. Takes one command at a time by
 * number and answers with how it ended.
 */
import { type MessagePort, parentPort } from 'node:worker_threads';
import { type Bucket, connect, type RemoteClient, string } from '../../lib/index.ts';
import { outcomeOf } from './cluster-threads.ts';

export type ClientCommand =
  | { readonly do: 'connect'; readonly port: MessagePort }
  | { readonly do: 'put'; readonly key: string; readonly value: string; readonly w?: number }
  | { readonly do: 'get'; readonly key: string }
  | { readonly do: 'close' }
  | { readonly do: 'leave' };

export interface ClientAnswer {
  readonly id: number;
  readonly outcome: string;
  readonly siblings: readonly string[];
}

let client: RemoteClient;
let bucket: Bucket<string>;

async function run(command: ClientCommand): Promise<readonly string[]> {
  switch (command.do) {
    case 'connect':
      client = await connect(command.port);
      bucket = client.bucket('b', { codec: string });
      return [];
    case 'put':
      await bucket.put(command.key, command.value, command.w === undefined ? {} : { w: command.w });
      return [];
    case 'get':
      return (await bucket.get(command.key)).siblings;
    case 'close':
      client.close();
      return [];
    case 'leave':
      parentPort!.close();
      return [];
  }
}

parentPort!.on('message', async ({ id, command }: { id: number; command: ClientCommand }) => {
  const result = run(command);
  const outcome = await outcomeOf(result);
  const siblings = outcome === 'ok' ? await result : [];
  parentPort!.postMessage({ id, outcome, siblings } satisfies ClientAnswer);
});
