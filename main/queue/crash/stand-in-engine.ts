import { setTimeout as sleep } from 'node:timers/promises';
import type { RenderedImage, RenderResult, Segment } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import type { EngineApi, RenderHooks } from '../../engine/process/engine-interface.ts';

/**
 * An engine that draws tiny pictures slowly and needs no model, for tests of what is around the engine: the same
 * process, protocol, files and signals. Words of the prompt say what befalls it: `dies`, `dies-at-SEED`, `out-of-memory`
 * (unless the VAE is tiled), `fails`. A step takes STAND_IN_STEP milliseconds.
 */
export class Engine implements EngineApi {
  static async create(): Promise<Engine> {
    return new Engine();
  }

  async render(request: RenderRequest, hooks: RenderHooks & { signal?: AbortSignal }): Promise<RenderResult> {
    const began = Date.now();
    const words = request.prompt.split(' ');
    const images: RenderedImage[] = [];
    const size = { width: request.width ?? 16, height: request.height ?? 16 };
    const summary: Omit<RenderResult, 'images'> = {
      request: { ...request, ...size, provider: 'cpu' },
      provider: { provider: 'cpu', reason: 'a stand-in' },
      unetRows: request.steps * request.batch,
      sessionsBuilt: 0,
      warnings: [],
      timings: {},
      modelName: 'stand-in',
    };
    if (words.includes('fails')) throw new ImpastoError('NAN_LATENT', 'It failed as it was told to.', 'Say otherwise.');
    if (words.includes('out-of-memory') && (request.vae.tiling !== 'on' || request.batch > 1)) {
      throw new ImpastoError('OUT_OF_MEMORY', 'It does not fit.', 'Make it smaller.');
    }
    for (let image = 0; image < request.batch; image += 1) {
      const seed = request.seed + image;
      for (let step = 1; step <= request.steps; step += 1) {
        await sleep(Number(process.env.STAND_IN_STEP ?? 5));
        if (hooks.signal?.aborted) throw new ImpastoError('CANCELLED', 'The job was cancelled.', 'Start it again.');
        if (step === 2 && (words.includes('dies') || words.includes(`dies-at-${seed}`))) {
          console.error('the stand-in dies as it was told to');
          process.kill(process.pid, 'SIGKILL');
        }
        hooks.onProgress?.({
          stage: 'sample',
          image,
          images: request.batch,
          step,
          steps: request.steps,
          unetRows: image * request.steps + step,
          elapsed: Date.now() - began,
        });
      }
      const picture = standInPicture(seed, size.width, size.height);
      images.push(picture);
      hooks.onImage?.(picture, image, summary);
    }
    return { ...summary, images };
  }

  async segment(): Promise<Segment> {
    throw new ImpastoError('ENGINE_ERROR', 'A stand-in selects nothing.', 'Ask the engine itself.');
  }

  devices() {
    return { providers: [], chosen: { provider: 'cpu' as const, reason: '' }, totalMemory: 0, freeMemory: 0, cores: 1 };
  }

  memory() {
    return { rss: 0, sessions: 0, budget: 0, live: [], built: 0 };
  }

  async estimate() {
    return { width: 8, height: 8, bytes: 0, weights: 0, activations: 0, part: 'nothing', tiled: false, budget: 0 };
  }

  async releaseSessions(): Promise<void> {}

  async dispose(): Promise<void> {}
}

/** What it draws for a seed: every pixel depends on it. */
export function standInPicture(seed: number, width: number, height: number): RenderedImage {
  const pixels = Float32Array.from({ length: width * height * 3 }, (_, index) => ((seed * 31 + index * 7) % 256) / 255);
  return { seed, width, height, pixels, latent: new Float32Array(4), latentShape: [4, 1, 1] };
}
