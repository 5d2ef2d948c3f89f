/**
 * The control surface: calls from the host to its threads and back answers, by comlink over a message port.
 * Never on the data path: each call costs proxies and structured clones.
 *
 * Invariant: every call ends, with the answer, with the error that the other side threw (its code intact),
 * at its deadline, or when the port closes. Calls are done in the order in which they were made.
 */
import type { MessagePort } from 'node:worker_threads';
import { type Endpoint, expose, type Remote, transfer, wrap } from 'comlink';
import { decodeError, type ErrorData, encodeError, RingletError } from '../lib/errors.ts';

/** What a thread offers to its host: methods that take and return plain data. */
// biome-ignore lint/suspicious/noExplicitAny: the parameters of an arbitrary method; callers see the exact types.
type ControlMethods<Api> = { [Name in keyof Api]: (...parameters: any[]) => unknown };

/** comlink loses an error's code and cause, so errors travel as data. */
type Answer = { readonly value: unknown } | { readonly error: ErrorData };

interface Dispatcher {
  call(name: string, parameters: unknown[]): Promise<Answer>;
}

/** Offers `api` on a port. */
export function exposeControl<Api extends ControlMethods<Api>>(api: Api, port: MessagePort): void {
  const dispatcher: Dispatcher = {
    async call(name, parameters) {
      try {
        return { value: await api[name as keyof Api](...parameters) };
      } catch (error) {
        return { error: encodeError(error) };
      }
    },
  };
  expose(dispatcher, port as unknown as Endpoint);
}

/** The other side of {@link exposeControl}. */
export class Control<Api extends ControlMethods<Api>> {
  private readonly port: MessagePort;
  private readonly timeoutMs: number;
  private readonly onSilent: (error: RingletError) => void;
  /** Held strongly: comlink releases the port when its proxy is collected. */
  private readonly remote: Remote<Dispatcher>;
  private readonly pending = new Set<(error: RingletError) => void>();
  private isClosed = false;

  /** @param onSilent Called with the error of a call that reached its deadline. */
  constructor(port: MessagePort, timeoutMs: number, onSilent: (error: RingletError) => void) {
    this.port = port;
    this.timeoutMs = timeoutMs;
    this.onSilent = onSilent;
    this.remote = wrap<Dispatcher>(port as unknown as Endpoint);
    port.once('close', () => this.rejectAll());
  }

  /** Calls a method. @throws {RingletError} RINGLET_NODE_STOPPED if the thread ended, RINGLET_TIMEOUT at the deadline */
  call<Name extends keyof Api & string>(
    name: Name,
    ...parameters: Parameters<Api[Name]>
  ): Promise<Awaited<ReturnType<Api[Name]>>> {
    return this.transferCall(name, [], ...parameters);
  }

  /** The same, handing over ports that occur in the parameters. */
  transferCall<Name extends keyof Api & string>(
    name: Name,
    ports: readonly MessagePort[],
    ...parameters: Parameters<Api[Name]>
  ): Promise<Awaited<ReturnType<Api[Name]>>> {
    return new Promise((resolve, reject) => {
      if (this.isClosed) {
        reject(threadEnded(name));
        return;
      }
      const end = () => {
        clearTimeout(timer);
        this.pending.delete(fail);
      };
      const fail = (error: unknown) => {
        end();
        reject(error);
      };
      const onDeadline = () => {
        // If it was this thread that could not listen, the answer has come in with this turn of the event loop.
        if (!this.pending.has(fail)) return;
        const error = new RingletError('RINGLET_TIMEOUT', `${name}: the thread did not answer`);
        fail(error);
        this.onSilent(error);
      };
      const timer = setTimeout(() => setImmediate(onDeadline), this.timeoutMs);
      this.pending.add(fail);
      const moved = transfer(parameters, [...ports] as unknown as Parameters<typeof transfer>[1]);
      this.remote.call(name, moved).then((answer) => {
        end();
        if ('error' in answer) reject(decodeError(answer.error));
        else resolve(answer.value as Awaited<ReturnType<Api[Name]>>);
      }, fail);
    });
  }

  close(): void {
    this.port.close();
    this.rejectAll();
  }

  private rejectAll(): void {
    this.isClosed = true;
    for (const reject of [...this.pending]) reject(threadEnded('control call'));
  }
}

function threadEnded(name: string): RingletError {
  return new RingletError('RINGLET_NODE_STOPPED', `${name}: the thread has ended`);
}
