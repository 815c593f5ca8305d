import { EventEmitter } from 'node:events';
import type {
  DeviceReport,
  EngineCommand,
  EngineMessage,
  MemoryReport,
  RenderedImage,
  RenderResult,
  Segment,
  SegmentRequest,
} from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import type { EstimateRequest, MemoryEstimate } from '../../../contract/memory-estimate.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import { type ConnectionOptions, EngineConnection, type EngineExit, exitError } from './engine-connection.ts';
import type { RenderHooks } from './engine-interface.ts';

/** A command that has one answer and is no job. */
type Question = WithoutId<Extract<EngineCommand, { type: 'segment' | 'devices' | 'memory' | 'estimate' | 'release' }>>;
type WithoutId<Command> = Command extends unknown ? Omit<Command, 'id'> : never;

export interface EngineClientOptions extends ConnectionOptions {
  /** Milliseconds that a cancel may go unanswered before the person is told, or the engine killed. */
  cancelWait?: number;
}

export interface RenderOptions extends RenderHooks {
  /** Kill the engine where it has not heard a cancel within `cancelWait`: a long step cannot be interrupted else. */
  forceCancel?: boolean;
}

export interface EngineClientEvents {
  /** An engine process is ready. */
  start: [{ pid: number | undefined }];
  /** An engine process has ended, expected or not. */
  exit: [EngineExit];
}

/**
 * The engine as its callers see it: a process that is started when it is needed and again when it died. The job that
 * was running when it died fails with `ENGINE_DIED`; the next one gets a new process.
 */
export class EngineClient extends EventEmitter<EngineClientEvents> {
  readonly #options: EngineClientOptions;
  /** Who waits for the answers to which command. */
  #pid: number | undefined;
  readonly #pending = new Map<number, (message: EngineMessage) => void>();
  #connection: Promise<EngineConnection> | null = null;
  #stopping: Promise<void> | null = null;
  #nextId = 1;

  private constructor(options: EngineClientOptions) {
    super();
    this.#options = options;
  }

  /**
   * Starts an engine process.
   * @throws ImpastoError `ENGINE_DIED` where it could not be started, or what the engine could not start for
   */
  static async start(options: EngineClientOptions = {}): Promise<EngineClient> {
    const client = new EngineClient(options);
    await client.#connect();
    return client;
  }

  /** Process id of the engine; undefined while there is none. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /**
   * Draws.
   * @throws ImpastoError `CANCELLED` after the signal, `ENGINE_BUSY` while another job runs, `ENGINE_DIED`, and whatever
   *   the job fails with
   */
  async render(request: RenderRequest, options: RenderOptions = {}, signal?: AbortSignal): Promise<RenderResult> {
    if (signal?.aborted) throw cancelled();
    const connection = await this.#connect();
    if (signal?.aborted) throw cancelled();
    const id = this.#nextId++;
    const job = new RenderJob(id, connection, options, this.#options.cancelWait ?? 15_000);
    const cancel = () => job.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await this.#ask(
        connection,
        {
          type: 'render',
          id,
          request,
          previewEvery: options.previewEvery ?? 0,
          ...(options.checkpoints ? { checkpoints: options.checkpoints } : {}),
          ...(options.resume ? { resume: options.resume } : {}),
        },
        (message) => job.take(message),
        (error) => job.outcome(error),
      );
    } finally {
      signal?.removeEventListener('abort', cancel);
      job.end();
    }
  }

  /**
   * Selects by clicks with a segmentation model; beside a job too, between two of its runs.
   * @throws ImpastoError what `Segmenter.segment` throws, `ENGINE_DIED`
   */
  segment(request: SegmentRequest): Promise<Segment> {
    return this.#query({ type: 'segment', request }, (message) =>
      message.type === 'segmented' ? message.segment : undefined,
    );
  }

  devices(): Promise<DeviceReport> {
    return this.#query({ type: 'devices' }, (message) => (message.type === 'devices' ? message.report : undefined));
  }

  memory(): Promise<MemoryReport> {
    return this.#query({ type: 'memory' }, (message) => (message.type === 'memory' ? message.report : undefined));
  }

  /**
   * What a picture is going to take, before it is drawn.
   * @throws ImpastoError what opening the model throws, `ENGINE_DIED`
   */
  estimate(request: EstimateRequest): Promise<MemoryEstimate> {
    return this.#query({ type: 'estimate', request }, (message) =>
      message.type === 'estimate' ? message.estimate : undefined,
    );
  }

  /** Releases every session that is not in use. */
  async release(): Promise<void> {
    await this.#query({ type: 'release' }, (message) => (message.type === 'released' ? true : undefined));
  }

  /** Ends the process gracefully, by force where it does not answer. A running job fails with `CANCELLED`. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends the process at once: a running job fails with `CANCELLED`, and the next one starts another process. */
  async kill(): Promise<void> {
    const connection = await this.#connection?.catch(() => null);
    connection?.kill();
    await connection?.exited;
  }

  async #stop(): Promise<void> {
    const connection = await this.#connection?.catch(() => null);
    await connection?.stop();
  }

  async #connect(): Promise<EngineConnection> {
    if (this.#stopping) throw new ImpastoError('ENGINE_DIED', 'The engine was stopped.', 'Start Impasto again.');
    const connection = await this.#connection;
    if (connection?.alive) return connection;
    // Its end may not have been heard of yet.
    await connection?.exited;
    this.#connection ??= this.#open();
    return this.#connection;
  }

  async #open(): Promise<EngineConnection> {
    try {
      const connection = await EngineConnection.open(this.#options, (message) => this.#take(message));
      void connection.exited.then((exit) => {
        this.#connection = null;
        this.#pid = undefined;
        this.emit('exit', exit);
      });
      this.#pid = connection.pid;
      this.emit('start', { pid: connection.pid });
      return connection;
    } catch (thrown) {
      this.#connection = null;
      throw thrown;
    }
  }

  #take(message: EngineMessage): void {
    if (!('id' in message)) return;
    this.#pending.get(message.id)?.(message);
  }

  async #query<T>(question: Question, read: (message: EngineMessage) => T | undefined): Promise<T> {
    const connection = await this.#connect();
    return this.#ask(connection, { ...question, id: this.#nextId++ }, read);
  }

  /**
   * Sends a command and waits until `read` makes something of an answer.
   * @param outcome what is thrown where the engine reports, or dies of, an error
   */
  #ask<T>(
    connection: EngineConnection,
    command: EngineCommand & { id: number },
    read: (message: EngineMessage) => T | undefined,
    outcome: (error: ImpastoError) => unknown = (error) => error,
  ): Promise<T> {
    const { id } = command;
    const answer = new Promise<T>((resolve, reject) => {
      this.#pending.set(id, (message) => {
        if (message.type === 'error') return reject(outcome(ImpastoError.fromRecord(message.error)));
        try {
          const value = read(message);
          if (value !== undefined) resolve(value);
        } catch (thrown) {
          reject(thrown);
        }
      });
      void connection.exited.then((exit) => reject(outcome(exit.expected ? cancelled() : exitError(exit))));
    });
    connection.send(command);
    return answer.finally(() => this.#pending.delete(id));
  }
}

/** The parent's end of one job. */
class RenderJob {
  readonly #id: number;
  readonly #connection: EngineConnection;
  readonly #options: RenderOptions;
  readonly #cancelWait: number;
  readonly #images: RenderedImage[] = [];
  #timer: NodeJS.Timeout | undefined;
  #hookFailure: { thrown: unknown } | undefined;

  constructor(id: number, connection: EngineConnection, options: RenderOptions, cancelWait: number) {
    this.#id = id;
    this.#connection = connection;
    this.#options = options;
    this.#cancelWait = cancelWait;
  }

  /** Passes a message on to the caller's hooks; the result where the job is done. */
  take(message: EngineMessage): RenderResult | undefined {
    if (message.type === 'done') {
      if (this.#hookFailure) throw this.#hookFailure.thrown;
      return { ...message.summary, images: this.#images };
    }
    try {
      this.#tell(message);
    } catch (thrown) {
      // The caller's own code failed: it gets that back, and the job is of no more use to it.
      this.#hookFailure ??= { thrown };
      this.#connection.send({ type: 'cancel', id: this.#id });
    }
    return undefined;
  }

  cancel(): void {
    this.#connection.send({ type: 'cancel', id: this.#id });
    this.#timer = setTimeout(() => {
      if (this.#options.forceCancel) {
        this.#connection.kill();
      } else {
        const message =
          'The engine is in the middle of a step, which cannot be interrupted: it stops when the step is done.';
        this.take({ type: 'warning', id: this.#id, warning: { code: 'CANCEL_WAITING', message } });
      }
    }, this.#cancelWait);
  }

  /** What the caller is told where the engine reported or died of `error`. */
  outcome(error: ImpastoError): unknown {
    return this.#hookFailure ? this.#hookFailure.thrown : error;
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #tell(message: EngineMessage): void {
    const { onProgress, onPreview, onCheckpoint, onImage, onWarning, keepImages = true } = this.#options;
    if (message.type === 'progress') onProgress?.(message.progress);
    else if (message.type === 'preview') onPreview?.(message.preview);
    else if (message.type === 'checkpoint') onCheckpoint?.(message.checkpoint);
    else if (message.type === 'warning') onWarning?.(message.warning);
    else if (message.type === 'image') {
      if (keepImages) this.#images[message.index] = message.image;
      onImage?.(message.image, message.index, message.summary);
    }
  }
}

function cancelled(): ImpastoError {
  return new ImpastoError('CANCELLED', 'The job was cancelled.', 'Start it again when you wish.');
}
