import type { EngineCommand, EngineMessage, RenderCommand } from '../../../contract/engine.ts';
import { asImpastoError, ImpastoError } from '../../../contract/errors.ts';
import type { EngineApi } from './engine-interface.ts';
import { commandId, parseCommand } from './protocol.ts';

interface Job {
  id: number;
  controller: AbortController;
  done: Promise<void>;
}

/** Carries out commands on an engine and answers each: the child's end of the protocol. One job at a time. */
export class EngineHost {
  readonly #engine: EngineApi;
  readonly #send: (message: EngineMessage) => void;
  readonly #exit: () => void;
  #job: Job | null = null;
  #exiting = false;

  /**
   * @param send posts a message to the parent
   * @param exit ends the process once everything sent has left
   */
  constructor(engine: EngineApi, send: (message: EngineMessage) => void, exit: () => void) {
    this.#engine = engine;
    this.#send = send;
    this.#exit = exit;
  }

  /** Takes whatever came over the channel. Never throws: a failure is the answer. */
  async handle(raw: unknown): Promise<void> {
    try {
      await this.#carryOut(parseCommand(raw));
    } catch (thrown) {
      this.#fail(commandId(raw), thrown);
    }
  }

  async #carryOut(command: EngineCommand): Promise<void> {
    switch (command.type) {
      case 'render':
        return this.#start(command);
      case 'cancel':
        // A cancel may cross the answer of a job that is done.
        if (this.#job?.id === command.id) this.#job.controller.abort();
        return;
      case 'segment':
        this.#send({ type: 'segmented', id: command.id, segment: await this.#engine.segment(command.request) });
        return;
      case 'devices':
        this.#send({ type: 'devices', id: command.id, report: await this.#engine.devices() });
        return;
      case 'memory':
        this.#send({ type: 'memory', id: command.id, report: await this.#engine.memory() });
        return;
      case 'estimate':
        this.#send({ type: 'estimate', id: command.id, estimate: await this.#engine.estimate(command.request) });
        return;
      case 'release':
        await this.#engine.releaseSessions();
        this.#send({ type: 'released', id: command.id });
        return;
      case 'exit':
        return this.#leave();
    }
  }

  #start(command: RenderCommand): Promise<void> {
    if (this.#job || this.#exiting) {
      throw new ImpastoError(
        'ENGINE_BUSY',
        this.#exiting ? 'The engine is stopping.' : 'The engine is drawing another job.',
        'Wait until it is done, or put the job in the queue.',
      );
    }
    const controller = new AbortController();
    const done = this.#render(command, controller.signal).finally(() => {
      this.#job = null;
    });
    this.#job = { id: command.id, controller, done };
    return done;
  }

  async #render({ id, request, previewEvery, checkpoints, resume }: RenderCommand, signal: AbortSignal): Promise<void> {
    try {
      const { images: _, ...summary } = await this.#engine.render(request, {
        signal,
        previewEvery,
        ...(checkpoints ? { checkpoints } : {}),
        ...(resume ? { resume } : {}),
        onCheckpoint: (checkpoint) => this.#send({ type: 'checkpoint', id, checkpoint }),
        onProgress: (progress) => this.#send({ type: 'progress', id, progress }),
        onPreview: (preview) => this.#send({ type: 'preview', id, preview }),
        onWarning: (warning) => this.#send({ type: 'warning', id, warning }),
        onImage: (image, index, summary) => this.#send({ type: 'image', id, index, image, summary }),
        keepImages: false,
      });
      this.#send({ type: 'done', id, summary });
    } catch (thrown) {
      this.#fail(id, thrown);
    }
  }

  async #leave(): Promise<void> {
    if (this.#exiting) return;
    this.#exiting = true;
    this.#job?.controller.abort();
    await this.#job?.done;
    try {
      await this.#engine.dispose();
    } finally {
      this.#exit();
    }
  }

  #fail(id: number, thrown: unknown): void {
    const error = asImpastoError(thrown);
    // A defect is of use to nobody without its stack; it goes where the parent keeps the last lines.
    if (error.code === 'INTERNAL') console.error(error.cause ?? error);
    this.#send({ type: 'error', id, error: error.toRecord() });
  }
}
