/**
 * A client in another thread of the application: it takes the port that `cluster.client()` gave, learns the
 * ring from it, and from then on talks to the node threads directly.
 */
import type { MessagePort } from 'node:worker_threads';
import { Bucket, type BucketEnvironment, type BucketOptions } from '../lib/bucket.ts';
import { RingletError } from '../lib/errors.ts';
import { ClientEndpoint } from './client-endpoint.ts';
import type { ClientNotice } from './thread-messages.ts';

/** A full client of a cluster that runs in another thread of this process. */
export class RemoteClient {
  private readonly port: MessagePort;
  private readonly endpoint: ClientEndpoint;
  private readonly environment: BucketEnvironment;

  /**
   * Connects through a port of `cluster.client()`, which may have been transferred to this thread.
   *
   * @param timeoutMs How long to wait for the cluster. @default 20000
   * @throws {RingletError} RINGLET_TIMEOUT if the port is silent, RINGLET_CLOSED if the cluster is closed
   */
  static connect(port: MessagePort, timeoutMs = 20_000): Promise<RemoteClient> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        port.off('close', onClose);
      };
      const onClose = () => {
        end();
        reject(new RingletError('RINGLET_CLOSED', 'connect: the cluster is closed'));
      };
      const timer = setTimeout(() => {
        end();
        reject(
          new RingletError('RINGLET_TIMEOUT', 'connect: nothing came through the port', {
            definite: true,
          }),
        );
      }, timeoutMs);
      port.once('close', onClose);
      port.once('message', (notice: ClientNotice) => {
        end();
        if (notice.type === 'open') resolve(new RemoteClient(port, notice));
        else onClose();
      });
    });
  }

  private constructor(port: MessagePort, notice: Extract<ClientNotice, { type: 'open' }>) {
    const { config, ring } = notice;
    this.port = port;
    this.endpoint = new ClientEndpoint(notice);
    this.environment = {
      client: this.endpoint.client,
      ring,
      limits: config.limits,
      replication: config.replication,
      requestTimeoutMs: config.requestTimeoutMs,
    };
    port.on('message', (message: ClientNotice) => this.onNotice(message));
    port.once('close', () => this.endpoint.close());
  }

  /** As `cluster.bucket`. */
  bucket<T = Uint8Array>(name: string, options: BucketOptions<T> = {}): Bucket<T> {
    return new Bucket<T>(name, options, this.environment);
  }

  /** Ends requests under way and disconnects. The cluster runs on. */
  close(): void {
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
