import { setImmediate as yieldToEvents } from 'node:timers/promises';
import type {
  CheckpointPolicy,
  EngineWarning,
  PictureCheckpoint,
  PreviewEvent,
  ProgressEvent,
  RenderedImage,
  RenderResult,
  Stage,
} from '../../../contract/engine.ts';
import { asImpastoError, ImpastoError } from '../../../contract/errors.ts';
import type { Style } from '../../../contract/request.ts';
import { stepsForOne } from '../../../contract/steps-drawn.ts';
import type { SchedulerConfig } from '../../../models/checkpoint/component-config.ts';
import type { ModelAdapters } from '../adapters/model-adapters.ts';
import { compositeInto } from '../image/composite.ts';
import { loadImage } from '../image/load-image.ts';
import { matchColours } from '../image/match-colours.ts';
import { fromTensor, type Pixels } from '../image/pixels.ts';
import { leastSide, structuralSimilarity } from '../image/structural-similarity.ts';
import type { LatentShape } from '../model/conditioning.ts';
import { type Inversion, InversionStore } from '../model/inversion-store.ts';
import type { LoadedModel } from '../model/loaded-model.ts';
import { decodeTiled, encodeTiled } from '../model/tiled-vae.ts';
import type { Planes, Posterior } from '../model/vae-network.ts';
import { createNoiseGenerator, type NoiseGenerator } from '../noise/index.ts';
import { modelIdentity } from '../runtime/session-cache.ts';
import { createScheduler, unusedSettings } from '../schedulers/index.ts';
import type { DrawNoise, Scheduler, SchedulerOptions } from '../schedulers/scheduler.ts';
import type { LatentMove } from './clora.ts';
import { type Composition, composePicture, type StepPart } from './composition.ts';
import { denoise, type Inpaint } from './denoise.ts';
import { drawingMethod } from './drawing-method.ts';
import { guidanceWarnings } from './guidance-warnings.ts';
import { type InitPicture, loadInitPicture, type SizedRequest } from './init-picture.ts';
import type { DrawingMethod, Predictor } from './predictor.ts';
import type { LatentPreviews } from './previews.ts';
import { invert, loadStyle, pinned, type StyleSetup, stylePredictor, styleStart } from './style-transfer.ts';
import type { NamedEmbedding } from './text-conditioning.ts';
import { replayable, TrajectoryRecorder } from './trajectory.ts';

export interface PictureHooks {
  onProgress?: (progress: ProgressEvent) => void;
  onPreview?: (preview: PreviewEvent) => void;
  /** A preview each so many UNet calls; 0 or omitted: none. */
  previewEvery?: number;
  /** Every finished picture, with what it took so far. */
  onImage?: (image: RenderedImage, index: number, spent: Spent) => void | Promise<void>;
  /** False: pictures go to `onImage` only. */
  keepImages?: boolean;
  onWarning?: (warning: EngineWarning) => void;
  signal?: AbortSignal;
  /** When to save half-drawn pictures; omitted: never. */
  checkpoints?: CheckpointPolicy;
  onCheckpoint?: (checkpoint: PictureCheckpoint) => void;
  /** Hears each move of the latent that a method makes on the way (CLoRA, exact), for parity with other implementations. */
  onMove?: (move: LatentMove) => void;
  /** What was saved of the first picture. */
  resume?: readonly Float32Array[];
}

/** What a render needs beside the request: the loaded model and what was decided for it. */
export interface RenderContext {
  model: LoadedModel;
  /** The adapters opened for the model. */
  adapters: ModelAdapters;
  embeddings: readonly NamedEmbedding[];
  previews: LatentPreviews;
  /** Decode and encode in tiles. */
  tiled: boolean;
  inversions: InversionStore;
  warn: (warning: EngineWarning) => void;
}

export type Spent = Pick<RenderResult, 'unetRows' | 'timings'>;
export type Rendered = Spent & Pick<RenderResult, 'images'>;

/** Latent cells a side of a VAE tile and shared between neighbours: 512 and 128 pixels at factor 8. */
export const vaeTile = { tile: 64, overlap: 16 };

/** Draws a request's pictures, one after the other. */
export async function renderPictures(
  request: SizedRequest,
  context: RenderContext,
  hooks: PictureHooks,
): Promise<Rendered> {
  const { model, warn } = context;
  const clock = new StageClock(model, request.batch, hooks);
  const factor = model.vae.factor;
  const shape: LatentShape = [model.vae.config.latentChannels, request.height / factor, request.width / factor];
  await clock.start('open', 0, 1);
  const active = await context.adapters.load(request.adapters, warn, hooks.signal);
  await clock.start('encode-text', 0, 1);
  const distilled = model.unet.config.timeCondProjDim !== null;
  const guided = request.guidance.scale > 1 && !distilled;
  for (const warning of guidanceWarnings(request, distilled, active)) warn(warning);
  const composition = await composePicture(request, shape, active, guided, {
    ...context,
    ...(hooks.signal ? { signal: hooks.signal } : {}),
  });
  const init = request.style ? null : await loadInitPicture(request, factor, warn, hooks.signal);
  if (request.style && model.unet.config.inChannels !== shape[0]) {
    throw new ImpastoError(
      'UNKNOWN_ARCHITECTURE',
      `A style is drawn by a text-to-image model, and this one is an inpaint model: its UNet takes ${model.unet.config.inChannels} channels, not ${shape[0]}.`,
      'Choose the base version of this model.',
    );
  }
  const colours = request.matchColours ? await coloursOf(request.matchColours.path, request, warn, hooks.signal) : null;
  const style =
    request.style && composition.placed
      ? await loadStyle(request, request.style, composition.placed, factor, warn, hooks.signal)
      : null;
  const picture: PictureContext = {
    ...context,
    shape,
    composition,
    init,
    style,
    colours,
    maskedPlanes: init?.mask ? masked(init) : null,
    clock,
    posteriors: new WeakMap(),
  };
  const images: RenderedImage[] = [];
  for (let index = 0; index < request.batch; index++) {
    const image = await renderOne(request, index, picture, hooks);
    if (hooks.keepImages !== false) images.push(image);
    await hooks.onImage?.(image, index, { unetRows: clock.rows, timings: clock.sum() });
  }
  return { images, unetRows: clock.rows, timings: clock.sum() };
}

interface PictureContext extends RenderContext {
  shape: LatentShape;
  composition: Composition;
  init: InitPicture | null;
  style: StyleSetup | null;
  /** The picture whose colours the drawn one is given. */
  colours: Pixels | null;
  /** The init picture with what is drawn anew in grey. */
  maskedPlanes: Float32Array | null;
  clock: StageClock;
  /** Encoded pictures by their pixels: the same for every seed of a batch. */
  posteriors: WeakMap<Float32Array, Posterior>;
}

async function renderOne(
  request: SizedRequest,
  index: number,
  context: PictureContext,
  hooks: PictureHooks,
): Promise<RenderedImage> {
  const { model, shape, composition, init, clock } = context;
  const seed = request.seed + index;
  const noise = createNoiseGenerator(request.noise, seed);
  const size = shape[0] * shape[1] * shape[2];
  const drawNoise = () => noise.randn(size);
  const { scheduler: settings, steps } = request;
  const strength = init && request.init ? request.init.strength : 1;
  const options: SchedulerOptions = {
    config: samplingConfig(model),
    steps,
    predictionType: model.checkpoint.predictionType,
    ...(settings.spacing ? { spacing: settings.spacing } : {}),
    ...(settings.sigmas ? { sigmas: settings.sigmas } : {}),
    ...(settings.rescaleBetasZeroSnr === undefined ? {} : { rescaleBetasZeroSnr: settings.rescaleBetasZeroSnr }),
    ...(settings.eta === undefined ? {} : { eta: settings.eta }),
    ...(init ? { strength } : {}),
  };
  for (const warning of unusedSettings(settings.name, options)) context.warn(warning);
  const scheduler = createScheduler(settings.name, options);
  if (init && scheduler.timesteps.length === 0 && (init.mask || strength > 0)) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `At a strength of ${strength}, ${steps} ${steps === 1 ? 'step leaves' : 'steps leave'} none to draw with.`,
      strength > 0
        ? `Raise the strength, or ask for ${stepsForOne(strength)} steps, of which one is drawn.`
        : 'Raise the strength.',
    );
  }
  const inversion = context.style && (await invertedContent(request, context.style, options, context, index));
  const { start, inpaint } = inversion
    ? {
        start: styleStart(request.style as Style, context.style?.masks ?? [], inversion, scheduler),
        inpaint: request.style?.pin ? pinned(context.style?.masks ?? [], inversion, scheduler) : null,
      }
    : await prepare(request, scheduler, noise, context, index);
  await clock.start('sample', index, scheduler.timesteps.length);
  const method: DrawingMethod = inversion
    ? { predict: styledBy(request, context, inversion, scheduler, drawNoise) }
    : drawingMethod(request, { model, composition, shape, scheduler, onMove: hooks.onMove });
  const fromNoise = !init && !inpaint;
  if (method.begin && !fromNoise) {
    context.warn({
      code: 'NOISE_NOT_CHOSEN',
      message: 'The start is not chosen among noises (--screen-seeds, --reinit): this picture starts from another one.',
    });
  }
  const begun = fromNoise
    ? await method.begin?.(start, () => scaledBy(drawNoise(), scheduler.initNoiseSigma))
    : undefined;
  const calls = scheduler.timesteps.length;
  const replay = replayable(index === 0 ? hooks.resume : undefined, calls, size, context.warn);
  const recorder =
    hooks.checkpoints && hooks.onCheckpoint
      ? new TrajectoryRecorder(calls, replay.length, hooks.checkpoints, (saved) =>
          hooks.onCheckpoint?.({ image: index, ...saved }),
        )
      : null;
  const latent = await denoise(begun ?? start, shape, {
    unet: model.unet,
    scheduler,
    predict: method.predict,
    steps,
    inpaint,
    drawNoise,
    replay,
    onPrediction: (prediction) => recorder?.record(prediction),
    onStep: async (call, current) => {
      const every = hooks.previewEvery ?? 0;
      if (every > 0 && (call + 1) % every === 0 && call + 1 < scheduler.timesteps.length && hooks.onPreview) {
        const preview = await context.previews.of(model, current, shape);
        hooks.onPreview({ image: index, step: call + 1, ...preview });
      }
      await clock.step(call + 1);
    },
  });
  await clock.start('decode', index, 1);
  const pixels = await decode(latent, context, index);
  const conceptsApart = method.apart?.();
  if (conceptsApart && conceptsApart.maskOverlap > togetherFrom) context.warn(conceptsTogether);
  const finished = finish(request, seed, latent, pixels, context);
  const structureKept = structureOf(finished, context);
  if (structureKept !== null) {
    const which = request.batch > 1 ? `Picture ${index + 1}` : 'The picture';
    context.warn({
      code: 'STRUCTURE_KEPT',
      message: `${which} has kept ${structureKept.toFixed(2)} of the structure of the one that it began from (SSIM of the luma; 1 is all of it).`,
    });
  }
  return {
    ...finished,
    ...(conceptsApart ? { conceptsApart } : {}),
    ...(structureKept === null ? {} : { structureKept }),
  };
}

/** Mean overlap of CLoRA's masks from which they are as good as one. */
const togetherFrom = 0.9;

const conceptsTogether: EngineWarning = {
  code: 'CONCEPTS_TOGETHER',
  message:
    'The concepts claim the same places, so that nothing keeps them apart: their predictions are averaged nearly everywhere. Raise the threshold of the masks (--mask-threshold), or let only the last piece of a word show its place (--concept-tokens last).',
};

/** How much of its init picture's structure a restyled one has kept; null where it is none, or too small for the measure. */
function structureOf(drawn: Pixels, { init, colours }: PictureContext): number | null {
  if (!init || init.mask || !colours || Math.min(drawn.width, drawn.height) < leastSide) return null;
  return structuralSimilarity(init.pixels, drawn);
}

/** A picture for its colours alone: whatever its size, cropped to the one that is drawn. */
async function coloursOf(
  path: string,
  { width, height }: SizedRequest,
  warn: (warning: EngineWarning) => void,
  signal?: AbortSignal,
): Promise<Pixels> {
  const picture = await loadImage(path, { width, height, fit: 'cover', ...(signal ? { signal } : {}) });
  for (const warning of picture.warnings) warn(warning);
  return picture;
}

/** The way of a style's content back to noise: as it was saved, or found and saved now. */
async function invertedContent(
  request: SizedRequest,
  { planes }: StyleSetup,
  options: SchedulerOptions,
  context: PictureContext,
  index: number,
): Promise<Inversion> {
  const { model, shape, composition, clock, inversions, warn } = context;
  const steps = request.style?.inversionSteps ?? request.steps;
  const settings = JSON.stringify([
    steps,
    shape,
    options.config,
    options.predictionType,
    options.spacing,
    options.rescaleBetasZeroSnr,
  ]);
  const key = InversionStore.key([await modelIdentity(model.files), settings, planes]);
  const known = await inversions.read(key, shape[0] * shape[1] * shape[2]);
  if (known) {
    // Once for each job, not for each picture of it.
    if (index === 0) {
      const message = `The content's inversion, ${known.timesteps.length} steps, is kept from before and was used again.`;
      warn({ code: 'INVERSION_REUSED', message });
    }
    return known;
  }
  const { mean } = await posteriorOf(planes, context, index);
  const { scalingFactor, shiftFactor } = model.vae.config;
  const scheduler = createScheduler('ddim-inverse', { ...options, steps });
  await clock.start('encode-image', index, scheduler.timesteps.length);
  const inversion = await invert(
    mean.map((value) => (value - shiftFactor) * scalingFactor),
    {
      unet: model.unet,
      scheduler,
      row: (composition.at(0)[0] as StepPart).positive,
      shape,
      onStep: (done) => clock.step(done),
    },
  );
  if (!inversion.latents.at(-1)?.every(Number.isFinite)) {
    throw new ImpastoError(
      'NAN_LATENT',
      'The content could not be followed back to noise: its latent is no longer a number.',
      'The weights overflow in half precision: use an fp32 or bf16 version of the model.',
    );
  }
  try {
    await inversions.write(key, inversion);
  } catch (thrown) {
    warn({
      code: 'INVERSION_UNSAVED',
      message: `The content's inversion was not saved: ${asImpastoError(thrown).message}`,
    });
  }
  return inversion;
}

function styledBy(
  request: SizedRequest,
  { model, composition, style }: PictureContext,
  inversion: Inversion,
  scheduler: Scheduler,
  drawNoise: DrawNoise,
): Predictor {
  return stylePredictor({
    unet: model.unet,
    composition,
    request,
    style: request.style as Style,
    masks: style?.masks ?? [],
    inversion,
    scheduler,
    drawNoise,
    trainTimesteps: model.checkpoint.scheduler.numTrainTimesteps,
  });
}

/** As diffusers' SD1 and SD2 pipelines have it whatever the file says: timesteps shifted by one and nothing clipped. */
function samplingConfig({ checkpoint }: LoadedModel): SchedulerConfig {
  if (checkpoint.family === 'sdxl') return checkpoint.scheduler;
  return { ...checkpoint.scheduler, stepsOffset: 1, clipSample: false };
}

const scaledBy = (values: Float32Array, factor: number): Float32Array => values.map((value) => value * factor);

/** The latent to start from, and what keeps the part outside a mask; draws noise in the order in which diffusers does. */
async function prepare(
  request: SizedRequest,
  scheduler: Scheduler,
  noise: NoiseGenerator,
  context: PictureContext,
  index: number,
): Promise<{ start: Float32Array; inpaint: Inpaint | null }> {
  const { model, shape, init } = context;
  const size = shape[0] * shape[1] * shape[2];
  const inpaintModel = model.unet.config.inChannels === 2 * shape[0] + 1;
  if (model.unet.config.inChannels !== shape[0] && !inpaintModel) {
    throw new ImpastoError(
      'UNKNOWN_ARCHITECTURE',
      `The UNet takes ${model.unet.config.inChannels} channels, and Impasto knows what to give for ${shape[0]} or ${2 * shape[0] + 1}.`,
      'Use a text-to-image or inpaint version of this model.',
    );
  }
  if (!init) {
    const start = scaledBy(noise.randn(size), scheduler.initNoiseSigma);
    return { start, inpaint: inpaintModel ? await blankInpaint(shape, noise, request, context, index) : null };
  }
  const encode = (planes: Float32Array) => encodeInit(planes, noise, context, index);
  if (request.scheduler.name === 'ddim-inverse') return { start: await encode(init.planes), inpaint: null };
  if (!init.mask || !init.latentMask) {
    if (inpaintModel) return imageToImageOnInpaintModel();
    const original = await encode(init.planes);
    const drawn = noise.randn(size);
    const noised = scheduler.timesteps.length > 0 ? scheduler.addNoise(original, drawn, 0) : original;
    return { start: noised, inpaint: null };
  }
  const strength = request.init?.strength ?? 1;
  const original = !inpaintModel || strength < 1 ? await encode(init.planes) : null;
  const drawn = noise.randn(size);
  const start =
    strength < 1 && original ? scheduler.addNoise(original, drawn, 0) : scaledBy(drawn, scheduler.initNoiseSigma);
  // Drawn for a 4-channel model too, which has no use for it: so the generator goes on as it does in diffusers.
  const maskedLatent = inpaintModel ? await encode(context.maskedPlanes ?? masked(init)) : noise.randn(size);
  const inpaint: Inpaint = inpaintModel
    ? { kind: 'channels', mask: init.latentMask, maskedLatent }
    : { kind: 'latent', mask: init.latentMask, original: original as Float32Array, noise: drawn };
  return { start, inpaint };

  async function imageToImageOnInpaintModel() {
    const source = init as InitPicture;
    const original = await encode(source.planes);
    const drawn = noise.randn(size);
    return {
      start: scheduler.addNoise(original, drawn, 0),
      inpaint: await blankInpaint(shape, noise, request, context, index),
    };
  }
}

/** An inpaint model without a mask draws all of the picture: a mask of ones over a grey picture. */
async function blankInpaint(
  shape: LatentShape,
  noise: NoiseGenerator,
  request: SizedRequest,
  context: PictureContext,
  index: number,
): Promise<Inpaint> {
  const grey = new Float32Array(3 * request.height * request.width);
  return {
    kind: 'channels',
    mask: new Float32Array(shape[1] * shape[2]).fill(1),
    maskedLatent: await encodeInit(grey, noise, context, index),
  };
}

/** Pixels of the init picture where they are kept; mid grey where they are drawn anew. */
function masked(init: InitPicture): Float32Array {
  const plane = init.width * init.height;
  const mask = init.mask as Float32Array;
  return init.planes.map((value, index) => ((mask[index % plane] as number) < 0.5 ? value : 0));
}

/** A sample of the posterior over the picture's latents, scaled as the UNet sees it. */
async function encodeInit(
  planes: Float32Array,
  noise: NoiseGenerator,
  context: PictureContext,
  index: number,
): Promise<Float32Array> {
  const { scalingFactor, shiftFactor } = context.model.vae.config;
  const { mean, logVariance } = await posteriorOf(planes, context, index);
  const draw = noise.randn(mean.length);
  return mean.map((value, at) => {
    const deviation = logVariance ? Math.exp(0.5 * Math.min(20, Math.max(-30, logVariance[at] as number))) : 0;
    return (value + deviation * (draw[at] as number) - shiftFactor) * scalingFactor;
  });
}

/** What the VAE makes of a picture; the same for every seed of a batch. */
async function posteriorOf(planes: Float32Array, context: PictureContext, index: number): Promise<Posterior> {
  const { model, clock, shape, posteriors, tiled } = context;
  const known = posteriors.get(planes);
  if (known) return known;
  const factor = model.vae.factor;
  const pixels: Planes = { data: planes, height: shape[1] * factor, width: shape[2] * factor };
  await clock.start('encode-image', index, 1);
  const posterior = tiled
    ? await encodeTiled(model.vae, pixels, { ...vaeTile, onTile: (done, of) => clock.step(done, of) })
    : await model.vae.encode(pixels);
  posteriors.set(planes, posterior);
  return posterior;
}

async function decode(latent: Float32Array, context: PictureContext, index: number): Promise<Planes> {
  const { model, shape, clock } = context;
  const { scalingFactor, shiftFactor } = model.vae.config;
  const unscaled = latent.map((value) => value / scalingFactor + shiftFactor);
  if (!context.tiled) return model.vae.decode(unscaled, shape);
  await clock.start('decode', index, 1);
  return decodeTiled(model.vae, unscaled, shape, { ...vaeTile, onTile: (done, of) => clock.step(done, of) });
}

function finish(
  request: SizedRequest,
  seed: number,
  latent: Float32Array,
  planes: Planes,
  context: PictureContext,
): RenderedImage {
  if (!planes.data.every(Number.isFinite)) {
    throw new ImpastoError(
      'NAN_LATENT',
      'The VAE decoded the picture to values that are no numbers.',
      'Its weights overflow in half precision: use an fp32 VAE (--vae FILE).',
    );
  }
  const { init, style, colours } = context;
  const plain = fromTensor(planes.data, planes.width, planes.height);
  const drawn = colours ? matchColours(plain, colours, request.matchColours?.amount ?? 0) : plain;
  let picture = drawn;
  if (init?.mask && request.mask?.composite !== false) picture = compositeInto(drawn, init.pixels, init.mask);
  if (style && request.style?.composite) picture = compositeInto(drawn, style.content, style.union);
  return {
    seed,
    width: picture.width,
    height: picture.height,
    pixels: picture.pixels,
    latent,
    latentShape: [...context.shape],
  };
}

/** Tells progress, times the stages and sees a cancel: the event loop turns at each step, so that one is heard. */
class StageClock {
  readonly #model: LoadedModel;
  readonly #images: number;
  readonly #hooks: PictureHooks;
  readonly #began = performance.now();
  readonly #rowsBefore: number;
  readonly #timings: Partial<Record<Stage, number>> = {};
  #stage: Stage = 'encode-text';
  #stageBegan = this.#began;
  #image = 0;
  #steps = 1;

  constructor(model: LoadedModel, images: number, hooks: PictureHooks) {
    this.#model = model;
    this.#images = images;
    this.#hooks = hooks;
    this.#rowsBefore = model.unet.rows;
  }

  get rows(): number {
    return this.#model.unet.rows - this.#rowsBefore;
  }

  async start(stage: Stage, image: number, steps: number): Promise<void> {
    this.#close();
    this.#stage = stage;
    this.#image = image;
    this.#steps = steps;
    await this.step(0);
  }

  async step(done: number, of = this.#steps): Promise<void> {
    this.#hooks.onProgress?.({
      stage: this.#stage,
      image: this.#image,
      images: this.#images,
      step: done,
      steps: of,
      unetRows: this.rows,
      elapsed: performance.now() - this.#began,
    });
    await yieldToEvents();
    if (this.#hooks.signal?.aborted) {
      throw new ImpastoError('CANCELLED', 'The job was cancelled.', 'Start it again when you wish.');
    }
  }

  /** Milliseconds by stage until now. */
  sum(): Partial<Record<Stage, number>> {
    this.#close();
    return { ...this.#timings };
  }

  #close(): void {
    const now = performance.now();
    this.#timings[this.#stage] = (this.#timings[this.#stage] ?? 0) + now - this.#stageBegan;
    this.#stageBegan = now;
  }
}
