/**
 * A client in another thread of the application: it takes the port that `cluster.client()` gave, learns the
 * ring from it, and from then on talks to the node threads directly.
 */
import { MessagePort } from 'node:worker_threads';
import { Bucket, type BucketEnvironment, type BucketOptions } from '../lib/bucket.ts';
import { show } from '../lib/config.ts';
import { RingletError } from '../lib/errors.ts';
import { ClientEndpoint } from './client-endpoint.ts';
import type { ClientNotice } from './thread-messages.ts';

/** A full client of a cluster that runs in another thread of this process. */
export class RemoteClient {
  private readonly port: MessagePort;
  private readonly endpoint: ClientEndpoint;
  private readonly environment: BucketEnvironment;
  private isClosed = false;

  /**
   * Connects through a port of `cluster.client()`, which may have been transferred to this thread.
   *
   * @param timeoutMs How long to wait for the cluster. @default 20000
   * @throws {RingletError} RINGLET_OPTION_INVALID if it is no port, RINGLET_TIMEOUT if it is silent, RINGLET_CLOSED if the cluster is closed
   */
  static connect(port: MessagePort, timeoutMs = 20_000): Promise<RemoteClient> {
    return new Promise((resolve, reject) => {
      if (!(port instanceof MessagePort)) {
        const problem = `port: got ${show(port)}, expected what \`cluster.client()\` gave`;
        reject(new RingletError('RINGLET_OPTION_INVALID', problem));
        return;
      }
      const end = () => {
        clearTimeout(timer);
        port.off('close', onClose);
        port.off('message', onMessage);
      };
      const fail = (error: RingletError) => {
        end();
        port.close();
        reject(error);
      };
      const onClose = () =>
        fail(new RingletError('RINGLET_CLOSED', 'connect: the cluster is closed'));
      const onMessage = (notice: ClientNotice) => {
        port.off('message', onMessage);
        if (notice.type !== 'open') return onClose();
        const client = new RemoteClient(port, notice);
        // If the cluster has closed since, that came right after.
        setImmediate(() => {
          if (client.isClosed) return onClose();
          end();
          resolve(client);
        });
      };
      const onSilence = () => {
        const problem = 'connect: nothing came through the port';
        fail(new RingletError('RINGLET_TIMEOUT', problem, { definite: true }));
      };
      const timer = setTimeout(onSilence, timeoutMs);
      port.on('close', onClose);
      port.on('message', onMessage);
    });
  }

  private constructor(port: MessagePort, notice: Extract<ClientNotice, { type: 'open' }>) {
    const { config, ring } = notice;
    this.port = port;
    this.endpoint = new ClientEndpoint(notice);
    for (const link of notice.links) this.endpoint.attachThread(link.threadIndex, link.port);
    this.environment = {
      client: this.endpoint.client,
      ring,
      limits: config.limits,
      replication: config.replication,
      requestTimeoutMs: config.requestTimeoutMs,
    };
    port.on('message', (message: ClientNotice) => this.onNotice(message));
    port.once('close', () => this.close());
  }

  /** As `cluster.bucket`. */
  bucket<T = Uint8Array>(name: string, options: BucketOptions<T> = {}): Bucket<T> {
    return new Bucket<T>(name, options, this.environment);
  }

  /** Ends requests under way and disconnects. The cluster runs on. */
  close(): void {
    this.isClosed = true;
    this.endpoint.close();
    this.port.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private onNotice(notice: ClientNotice): void {
    switch (notice.type) {
      case 'attach':
        return this.endpoint.attachThread(notice.threadIndex, notice.port);
      case 'detach':
        return this.endpoint.detachThread(notice.threadIndex);
      case 'member':
        return this.endpoint.client.onMemberStatus(notice.member, notice.status);
      case 'open':
      case 'close':
        return this.close();
    }
  }
}
