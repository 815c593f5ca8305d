import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { asImpastoError, ImpastoError } from '../../contract/errors.ts';
import type { ImpastoEvent } from '../../contract/events.ts';
import type { Answer } from '../../contract/routes.ts';
import { findNode } from '../engine/process/node-runtime.ts';
import { OutputTail } from '../engine/process/output-tail.ts';
import type { Resource } from '../handlers/resources.ts';
import type { FromBackend, ToBackend } from './backend-protocol.ts';

export interface BackendProcessOptions {
  /** `backend-child.ts`, where a plain Node can read it. */
  program: string;
  home?: string;
  execPath?: string;
  engineModule?: string;
  /** Milliseconds that it may take to stop: a step under way is finished. */
  stopWait?: number;
}

interface BackendEvents {
  event: [ImpastoEvent];
  preview: [Uint8Array];
}

/** A process that died this often in a minute is not started again. */
const mostDeaths = 3;
const deathWindow = 60_000;

/**
 * The working process as the window process sees it. It is started at once, and again where it died: what was asked of
 * it then fails with `BACKEND_DIED`, and windows are told to list again.
 */
export class BackendProcess extends EventEmitter<BackendEvents> {
  readonly #options: BackendProcessOptions;
  readonly #deaths: number[] = [];
  readonly #waiting = new Map<number, (message: FromBackend | ImpastoError) => void>();
  #child: ChildProcess | null = null;
  #ready: Promise<ChildProcess> | null = null;
  #stopping = false;
  #nextId = 1;

  constructor(options: BackendProcessOptions) {
    super();
    this.#options = options;
    this.setMaxListeners(0);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** @throws ImpastoError what it could not start for, or `BACKEND_DIED` */
  async start(): Promise<void> {
    await this.#connect();
  }

  /** Answers one request; never throws. */
  async call(route: unknown, input: unknown): Promise<Answer> {
    return await this.#answer((id) => ({ type: 'call', id, route, input }));
  }

  async upload(bytes: Uint8Array): Promise<Answer> {
    return await this.#answer((id) => ({ type: 'upload', id, bytes }));
  }

  /** @throws ImpastoError `BACKEND_DIED` */
  async resource(pathname: string): Promise<Resource | null> {
    const message = await this.#ask((id) => ({ type: 'resource', id, pathname }));
    return message.type === 'resource' ? message.resource : null;
  }

  /** Lets it finish the step under way, and ends it by force where it does not. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.send({ type: 'stop' } satisfies ToBackend, () => {});
    const patience = new AbortController();
    await Promise.race([
      exited,
      pause(this.#options.stopWait ?? 30_000, null, { signal: patience.signal }).catch(() => {}),
    ]);
    patience.abort();
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  }

  async #answer(message: (id: number) => ToBackend): Promise<Answer> {
    try {
      const reply = await this.#ask(message);
      if (reply.type === 'answer') return reply.answer;
      throw new Error(`unexpected ${reply.type}`);
    } catch (thrown) {
      return { ok: false, error: asImpastoError(thrown).toRecord() };
    }
  }

  async #ask(message: (id: number) => ToBackend): Promise<FromBackend> {
    const child = await this.#connect();
    const id = this.#nextId++;
    return await new Promise((resolve, reject) => {
      this.#waiting.set(id, (reply) => {
        this.#waiting.delete(id);
        if (reply instanceof ImpastoError) reject(reply);
        else resolve(reply);
      });
      child.send(message(id), (error) => {
        if (error) this.#waiting.get(id)?.(died(error.message));
      });
    });
  }

  #connect(): Promise<ChildProcess> {
    if (this.#stopping) return Promise.reject(died('Impasto is closing.'));
    this.#ready ??= this.#open().catch((thrown) => {
      this.#ready = null;
      throw thrown;
    });
    return this.#ready;
  }

  async #open(): Promise<ChildProcess> {
    const again = this.#deaths.length > 0;
    const { program, home = '', execPath = findNode(), engineModule } = this.#options;
    if (this.#deaths.filter((time) => time > Date.now() - deathWindow).length >= mostDeaths) {
      throw died(`Its working process died ${mostDeaths} times within a minute.`);
    }
    const args = ['--disable-warning=ExperimentalWarning', program, home];
    if (engineModule !== undefined) args.push(engineModule);
    const child = spawn(execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
      windowsHide: true,
    });
    this.#child = child;
    const tail = new OutputTail(64 * 1024);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        tail.push(chunk);
        process.stderr.write(chunk);
      });
    }
    await new Promise<void>((resolve, reject) => {
      child.on('error', (error) => {
        // One that could not even be started does not exit either.
        if (child.pid === undefined) this.#child = null;
        reject(died(error.message));
      });
      child.on('exit', (code, signal) => {
        this.#ended(child);
        reject(died(`It ended with ${signal ?? `exit code ${code}`}. ${tail.toString().slice(-2000)}`));
      });
      child.on('message', (message: FromBackend) => {
        if (message.type === 'ready') resolve();
        else if (message.type === 'failed') reject(ImpastoError.fromRecord(message.error));
        else this.#take(message);
      });
    });
    // Whatever a window knows of the queue may be old.
    if (again) this.emit('event', { event: 'queue.reload', data: {} });
    return child;
  }

  #take(message: FromBackend): void {
    if (message.type === 'event') this.emit('event', message.event);
    else if (message.type === 'preview') this.emit('preview', message.frame);
    else if ('id' in message) this.#waiting.get(message.id)?.(message);
  }

  #ended(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#ready = null;
    if (!this.#stopping) this.#deaths.push(Date.now());
    for (const reply of this.#waiting.values()) reply(died('It was working on this.'));
    // Drawing goes on without being asked.
    if (!this.#stopping) void this.#connect().catch(() => {});
  }
}

function died(why: string): ImpastoError {
  return new ImpastoError(
    'BACKEND_DIED',
    `The process that does Impasto's work is not there. ${why}`,
    'Try again; the queue and the pictures are safe on the disk. Where it does not help, start Impasto anew.',
  );
}
