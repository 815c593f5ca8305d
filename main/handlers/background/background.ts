import { Worker } from 'node:worker_threads';
import { type ErrorRecord, ImpastoError } from '../../../contract/errors.ts';
import type { WorkInput, WorkName, WorkOutput } from './work.ts';

export interface ToThread {
  id: number;
  name: WorkName;
  input: unknown;
}

export type FromThread = { id: number; output: unknown } | { id: number; error: ErrorRecord; stack: string };

interface Waiting {
  resolve(output: unknown): void;
  reject(error: Error): void;
}

/** Milliseconds after which a thread that has nothing to do is ended, with what it holds in memory. */
const idleAfter = 120_000;

/** A thread that computes, started when it is first asked and again where it has ended. */
export class Background {
  readonly #waiting = new Map<number, Waiting>();
  #thread: Worker | null = null;
  #latest = 0;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  /** @throws ImpastoError what the work throws; `INTERNAL` where the thread died of it */
  call<Name extends WorkName>(name: Name, input: WorkInput<Name>): Promise<WorkOutput<Name>> {
    clearTimeout(this.#idle);
    const id = ++this.#latest;
    return new Promise<WorkOutput<Name>>((resolve, reject) => {
      if (this.#closed) {
        reject(new ImpastoError('CANCELLED', 'Impasto is being closed.', 'Start it again.'));
        return;
      }
      this.#waiting.set(id, { resolve: (output) => resolve(output as WorkOutput<Name>), reject });
      this.#thread ??= this.#start();
      this.#thread.ref();
      this.#thread.postMessage({ id, name, input } satisfies ToThread);
    });
  }

  /** Ends it; what is under way is cancelled. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    const thread = this.#thread;
    this.#thread = null;
    this.#refuseAll(new ImpastoError('CANCELLED', 'Impasto is being closed.', 'Start it again.'));
    await thread?.terminate();
  }

  #start(): Worker {
    const thread = new Worker(new URL('./thread.ts', import.meta.url), {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    thread.on('message', (message: FromThread) => this.#hear(message));
    const ended = (cause: unknown) => {
      if (this.#thread !== thread) return;
      this.#thread = null;
      const out = (cause as NodeJS.ErrnoException | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
      this.#refuseAll(
        out
          ? new ImpastoError(
              'OUT_OF_MEMORY',
              'There is not enough memory for this.',
              'Close other programs, or try a smaller file.',
            )
          : new ImpastoError('INTERNAL', `The thread that computed this ended: ${String(cause)}`, 'Try it again.', {
              cause,
            }),
      );
    };
    thread.on('error', ended);
    thread.on('exit', (code) => ended(`exit code ${code}`));
    return thread;
  }

  #hear(message: FromThread): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ('error' in message) {
      const { code, message: text, remedy } = message.error;
      const cause = message.stack === '' ? undefined : Object.assign(new Error(text), { stack: message.stack });
      waiting?.reject(new ImpastoError(code, text, remedy, { cause }));
    } else waiting?.resolve(message.output);
    if (this.#waiting.size > 0) return;
    // A thread at rest keeps no process alive.
    this.#thread?.unref();
    this.#idle = setTimeout(() => {
      const thread = this.#thread;
      this.#thread = null;
      void thread?.terminate();
    }, idleAfter).unref();
  }

  #refuseAll(error: ImpastoError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
