import type { CheckpointPolicy } from '../../../contract/engine.ts';
import { EngineClient, type EngineClientOptions } from '../../engine/process/engine-client.ts';
import type { EngineExit } from '../../engine/process/engine-connection.ts';
import { decodeParts, encodePart } from './checkpoint-part.ts';
import type { JobHooks, JobRunner, RenderTask } from './job-runner.ts';

export interface EngineJobRunnerOptions extends EngineClientOptions {
  /** Steps between previews; 0: none. */
  previewEvery?: number;
  /** When half-drawn pictures are saved; by default those that take more than a minute, every five seconds. */
  checkpoints?: CheckpointPolicy;
  /** An engine process is there. */
  onStart?: (pid: number | undefined) => void;
  /** An engine process has ended, expected or not. */
  onExit?: (exit: EngineExit) => void;
}

/** A checkpoint every few steps of pictures that take longer than a minute. */
const longJobs: CheckpointPolicy = { after: 60_000, every: 5_000 };

/** Draws with the engine, in its process. */
export class EngineJobRunner implements JobRunner {
  readonly #options: EngineJobRunnerOptions;
  #client: EngineClient | undefined;
  #starting: Promise<void> | null = null;
  #lastExit: EngineExit | undefined;

  constructor(options: EngineJobRunnerOptions = {}) {
    this.#options = options;
  }

  /** The engine, for questions beside the jobs. @throws ImpastoError where it cannot start */
  async client(): Promise<EngineClient> {
    await this.ready();
    return this.#client as EngineClient;
  }

  ready(): Promise<void> {
    // A job and a question may come at once: both wait for the one process.
    this.#starting ??= this.#start().finally(() => {
      this.#starting = null;
    });
    return this.#starting;
  }

  async #start(): Promise<void> {
    if (!this.#client) {
      this.#client = await EngineClient.start(this.#options);
      this.#client.on('exit', (exit) => {
        this.#lastExit = exit;
        this.#options.onExit?.(exit);
      });
      this.#client.on('start', ({ pid }) => this.#options.onStart?.(pid));
      this.#options.onStart?.(this.#client.pid);
    } else if (this.#client.pid === undefined) {
      // Any question starts the process again.
      await this.#client.memory();
    }
  }

  async run({ request, checkpoint }: RenderTask, hooks: JobHooks, signal: AbortSignal): Promise<void> {
    await this.ready();
    const client = this.#client as EngineClient;
    // The engine draws one picture after the other; each is handed over as soon as it is finished.
    await client.render(
      request,
      {
        keepImages: false,
        previewEvery: this.#options.previewEvery ?? 0,
        onProgress: (progress) => hooks.onProgress(progress),
        onPreview: (preview) => hooks.onPreview(preview),
        onWarning: (warning) => hooks.onWarning(warning),
        onImage: (image, index, summary) => hooks.onImage(image, index, summary),
        checkpoints: this.#options.checkpoints ?? longJobs,
        onCheckpoint: ({ predictions, ...at }) =>
          hooks.onCheckpoint({ ...at, part: encodePart(predictions), anew: at.step === predictions.length }),
        ...(checkpoint ? { resume: decodeParts(checkpoint.parts) } : {}),
      },
      signal,
    );
  }

  log(): string {
    return this.#lastExit && !this.#lastExit.expected ? this.#lastExit.output : '';
  }

  async stop(): Promise<void> {
    // One that is just starting would outlive this else.
    await this.#starting?.catch(() => {});
    await this.#client?.stop();
    this.#client = undefined;
  }
}
