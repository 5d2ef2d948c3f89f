/**
 * Requests of a client of a recorded world, as promises. What is recorded is what reaches the client: bytes and numbers, no
 * codec, no function of the application.
 *
 * Invariant: a request that is replayed in another world ends into nothing there; its promise belongs to the world in which
 * it was made.
 */
import type { PartitionId, RecordKey } from '../address.ts';
import type { Client, ClientWrite, GetResult, PutResult, RequestSettings } from '../client.ts';
import type { RingletError } from '../errors.ts';
import type { RecordedWorld, Stage } from './recorded-world.ts';
import type { RequestWatch, WatchedRequest } from './request-watch.ts';

/** Begins a request at a client. */
type Start<Result> = (
  client: Client,
  signal: AbortSignal | null,
  onDone: (result: Result) => void,
  onFailed: (error: RingletError) => void,
) => void;

/** Begins a request in one of the worlds. */
type StartAt = (stage: Stage, signal: AbortSignal | null, onEnd: () => void) => void;

export interface RecordedClientOptions {
  readonly recorded: RecordedWorld;
  /** Which of the world's clients. */
  readonly index: number;
  /** What the bucket that asks is. */
  readonly lastWriterWins: boolean;
  /** Called whenever a request has ended: its caller can go on. */
  readonly onEnded: () => void;
  readonly watch: RequestWatch | null;
}

/** What a bucket needs of a client. */
export class RecordedClient {
  private readonly recorded: RecordedWorld;
  private readonly index: number;
  private readonly options: RecordedClientOptions;

  constructor(options: RecordedClientOptions) {
    this.options = options;
    this.recorded = options.recorded;
    this.index = options.index;
  }

  /** As {@link Client.get}. */
  get(
    partition: PartitionId,
    key: RecordKey,
    fanout: 'quorum' | 'all',
    settings: RequestSettings,
  ): Promise<GetResult> {
    const { watch, lastWriterWins } = this.options;
    const watched = watch?.beginGet(this.index, partition, key, settings, lastWriterWins);
    return this.request(settings.signal, watched, (client, signal, onDone, onFailed) =>
      client.startGet(partition, key, fanout, { ...settings, signal }, onDone, onFailed),
    );
  }

  /** As {@link Client.put}. */
  put(
    partition: PartitionId,
    key: RecordKey,
    { value, ...write }: ClientWrite,
    settings: RequestSettings,
  ): Promise<PutResult> {
    // The caller may change its bytes afterwards, and a replay needs them as they were.
    const kept = { ...write, value: value?.slice() ?? null };
    const { watch } = this.options;
    const watched = watch?.beginPut(this.index, partition, key, kept, settings);
    return this.request(settings.signal, watched, (client, signal, onDone, onFailed) =>
      client.startPut(partition, key, kept, { ...settings, signal }, onDone, onFailed),
    );
  }

  private request<Result>(
    signal: AbortSignal | null,
    watched: WatchedRequest<Result> | undefined,
    start: Start<Result>,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      const onDone = (result: Result): void => {
        watched?.onDone(result);
        resolve(result);
      };
      const onFailed = (error: RingletError): void => {
        watched?.onFailed(error);
        reject(error);
      };
      const startAt: StartAt = (stage, ownSignal, onEnd) => {
        const end = <Value>(tell: (value: Value) => void) => {
          return (value: Value): void => {
            onEnd();
            if (stage !== this.recorded.stage) return;
            tell(value);
            this.options.onEnded();
          };
        };
        start(stage.world.clients[this.index]!, ownSignal, end(onDone), end(onFailed));
      };
      if (signal === null) this.recorded.act((stage) => startAt(stage, null, () => {}));
      else this.startWithSignal(signal, startAt);
    });
  }

  /** That its signal ends a request is an action too; so in each world it has a signal of its own. */
  private startWithSignal(signal: AbortSignal, startAt: StartAt): void {
    const { recorded } = this;
    const request = {};
    const abort = (): void => {
      recorded.act(({ aborts }) => aborts.get(request)?.abort(signal.reason));
    };
    const isAborted = signal.aborted;
    signal.addEventListener('abort', abort);
    recorded.act((stage) => {
      const controller = new AbortController();
      if (isAborted) controller.abort(signal.reason);
      stage.aborts.set(request, controller);
      startAt(stage, controller.signal, () => {
        stage.aborts.delete(request);
        if (stage === recorded.stage) signal.removeEventListener('abort', abort);
      });
    });
  }
}
