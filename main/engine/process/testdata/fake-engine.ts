import { setImmediate, setTimeout } from 'node:timers/promises';
import type {
  EngineSettings,
  RenderedImage,
  RenderResult,
  RenderSummary,
  Segment,
  SegmentRequest,
} from '../../../../contract/engine.ts';
import { ImpastoError } from '../../../../contract/errors.ts';
import type { EstimateRequest } from '../../../../contract/memory-estimate.ts';
import type { RenderRequest } from '../../../../contract/request.ts';
import type { EngineApi, RenderHooks } from '../engine-interface.ts';

/**
 * An engine that "draws" by sleeping, for tests of the process around it. The request's prompt says what befalls it in
 * its second step.
 */
export class Engine implements EngineApi {
  readonly #settings: EngineSettings;
  #released = 0;

  constructor(settings: EngineSettings) {
    this.#settings = settings;
  }

  static async create(settings: EngineSettings): Promise<Engine> {
    if (settings.provider === 'cuda') {
      throw new ImpastoError('PROVIDER_UNAVAILABLE', 'No CUDA here.', 'Choose cpu.');
    }
    if (settings.provider === 'coreml') process.exit(7);
    if (settings.provider === 'dml') await setTimeout(60_000);
    return new Engine(settings);
  }

  async render(request: RenderRequest, hooks: RenderHooks & { signal?: AbortSignal }): Promise<RenderResult> {
    const images: RenderedImage[] = [];
    const summary: RenderSummary = {
      request,
      provider: { provider: 'cpu', reason: 'fake' },
      unetRows: request.steps,
      sessionsBuilt: 0,
      warnings: [],
      timings: { sample: 1 },
      modelName: 'fake',
    };
    for (let index = 0; index < request.batch; index += 1) {
      for (let step = 1; step <= request.steps; step += 1) {
        // As the engine does: after a run that blocked the thread the messages that came meanwhile are read, then looked at.
        await setImmediate();
        if (hooks.signal?.aborted) throw new ImpastoError('CANCELLED', 'The job was cancelled.', 'Start it again.');
        if (step === 2) await befall(request.prompt, hooks);
        else await setTimeout(5);
        hooks.onProgress?.({
          stage: 'sample',
          image: index,
          images: request.batch,
          step,
          steps: request.steps,
          unetRows: step,
          elapsed: 0,
        });
        if (hooks.previewEvery && step % hooks.previewEvery === 0) {
          hooks.onPreview?.({ image: index, step, width: 2, height: 1, rgb: Uint8Array.of(step, 2, 3, 4, 5, 6) });
        }
      }
      const image: RenderedImage = {
        seed: request.seed + index,
        width: 512,
        height: 512,
        pixels: new Float32Array(512 * 512 * 3).fill(0.25 + index),
        latent: Float32Array.of(index, -1),
        latentShape: [1, 1, 2],
      };
      if (hooks.keepImages !== false) images.push(image);
      hooks.onImage?.(image, index, summary);
    }
    hooks.onWarning?.({ code: 'FAKE', message: 'It is a fake.' });
    return { ...summary, images };
  }

  async segment({ clicks }: SegmentRequest): Promise<Segment> {
    return { png: Uint8Array.of(1, 2, 3), width: 2, height: clicks.length, share: 0.5, score: 0.9 };
  }

  devices() {
    return {
      providers: [],
      chosen: { provider: 'cpu' as const, reason: 'fake' },
      totalMemory: 2,
      freeMemory: 1,
      cores: 1,
    };
  }

  memory() {
    return { rss: process.pid, sessions: this.#released, budget: this.#settings.memoryBudget ?? 0, live: [], built: 0 };
  }

  async estimate({ width = 8, height = 8 }: EstimateRequest) {
    const budget = this.#settings.memoryBudget ?? 0;
    return { width, height, bytes: 1, weights: 1, activations: 0, part: 'the UNet', tiled: false, budget };
  }

  async releaseSessions(): Promise<void> {
    this.#released += 1;
  }

  async dispose(): Promise<void> {
    console.log('disposed');
  }
}

async function befall(prompt: string, hooks: RenderHooks): Promise<void> {
  const [what, detail] = prompt.split(' ');
  switch (what) {
    case 'block': {
      hooks.onWarning?.({ code: 'BLOCKING', message: 'It blocks now.' });
      await setTimeout(5);
      // As a run of a session does, from within a turn of its own: nothing else happens in the process meanwhile.
      await setImmediate();
      const until = Date.now() + Number(detail);
      while (Date.now() < until);
      return;
    }
    case 'abort':
      process.abort();
      break;
    case 'uncaught':
      queueMicrotask(() => {
        throw new Error('nobody caught this');
      });
      return;
    case 'exit':
      process.exit(3);
      break;
    case 'throw':
      throw new TypeError('a defect');
    case 'refuse':
      throw new ImpastoError('NAN_LATENT', 'The latent is not a number.', 'Choose fp32.');
    case 'noise':
      process.stdout.write(`${'out '.repeat(50_000)}\n`);
      process.stderr.write(`${'err '.repeat(50_000)}\n`);
      process.send?.('words of a library');
      process.send?.({ type: 'unheard-of', id: 1 });
      return;
  }
}
