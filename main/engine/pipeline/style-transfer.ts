import type { EngineWarning } from '../../../contract/engine.ts';
import type { Style } from '../../../contract/request.ts';
import { type PlacedRegions, regionPixels } from '../adapters/regions.ts';
import { loadImage } from '../image/load-image.ts';
import type { Pixels } from '../image/pixels.ts';
import { toTensor } from '../image/pixels.ts';
import type { LatentShape } from '../model/conditioning.ts';
import type { Inversion } from '../model/inversion-store.ts';
import type { UNetNetwork, UNetOutputs, UNetRow } from '../model/unet-network.ts';
import type { Tensor } from '../runtime/tensor.ts';
import type { DrawNoise, Scheduler } from '../schedulers/scheduler.ts';
import type { Composition, PlannedRow } from './composition.ts';
import type { Inpaint } from './denoise.ts';
import { classifierFreeGuidance, guidanceActive, guidanceEmbedding, rescaleGuidance } from './guidance.ts';
import type { SizedRequest } from './init-picture.ts';
import type { Predictor } from './predictor.ts';
import { recolouredStart } from './recoloured-start.ts';

/**
 * The style of adapters in parts of a picture (DiffStyler, Li et al. 2024). The content is inverted by DDIM; every UNet, the bare
 * one and one a region, then draws [content, uncond, cond] in one call, in which the content's row gives the others its features
 * and its self-attention's queries and keys. Inside a region counts what its adapters predict, outside what the bare model
 * predicts without a prompt. Forward-only, as published.
 */

/** A style's content and where its regions are. */
export interface StyleSetup {
  content: Pixels;
  /** [3, height, width] in [-1, 1] */
  planes: Float32Array;
  /** Of each region, 1 inside: [latent height * width]. */
  masks: readonly Uint8Array[];
  /** Of all regions together, in pixels. */
  union: Float32Array;
}

/** @throws ImpastoError `MASK_INVALID` where a region is empty, and what reading a picture throws */
export async function loadStyle(
  request: SizedRequest,
  style: Style,
  placed: PlacedRegions,
  factor: number,
  warn: (warning: EngineWarning) => void,
  signal?: AbortSignal,
): Promise<StyleSetup> {
  const { width, height } = request;
  const content = await loadImage(style.content, { width, height, ...(signal ? { signal } : {}) });
  for (const warning of content.warnings) warn(warning);
  const levels = placed.regions[0]?.mask.levels.length ?? 1;
  const union = new Float32Array(width * height);
  for (const { region } of placed.regions) {
    const pixels = await regionPixels(region, { width, height, factor, levels }, () => {}, signal);
    for (const [at, value] of pixels.entries()) union[at] = Math.max(union[at] as number, value);
  }
  return { content, planes: toTensor(content), masks: placed.regions.map(({ mask }) => hardMask(mask)), union };
}

/** Cells that are covered by half; where a region covers none so far, those that it touches at all. */
function hardMask({ levels }: PlacedRegions['regions'][number]['mask']): Uint8Array {
  const { data } = levels[0] as (typeof levels)[number];
  const bar = data.some((value) => value >= 0.5) ? 0.5 : Number.MIN_VALUE;
  return Uint8Array.from(data, (value) => (value >= bar ? 1 : 0));
}

export interface InvertOptions {
  unet: UNetNetwork;
  /** DDIM backwards. */
  scheduler: Scheduler;
  /** An empty prompt's. */
  row: PlannedRow;
  shape: LatentShape;
  onStep: (done: number) => Promise<void>;
}

/** Follows a latent back to noise: the latent at each of the scheduler's timesteps. */
export async function invert(latent: Float32Array, options: InvertOptions): Promise<Inversion> {
  const { unet, scheduler, row, shape, onStep } = options;
  const latents: Float32Array[] = [];
  let current = latent;
  const { timeCondProjDim } = unet.config;
  const embedding = timeCondProjDim === null ? undefined : guidanceEmbedding(1, timeCondProjDim);
  for (const [call, timestep] of scheduler.timesteps.entries()) {
    const [prediction] = await unet.predict(current, shape, timestep, [row.conditioning], embedding);
    current = scheduler.step(prediction as Float32Array, call, current, () => new Float32Array(current.length));
    latents.push(current);
    await onStep(call + 1);
  }
  return { timesteps: scheduler.timesteps, latents, clean: latent };
}

/** The content's latent at a timestep, or the nearest that was kept. */
export function latentAt({ timesteps, latents }: Inversion, timestep: number): Float32Array {
  let best = 0;
  for (const [index, known] of timesteps.entries()) {
    if (Math.abs(known - timestep) < Math.abs((timesteps[best] as number) - timestep)) best = index;
  }
  return latents[best] as Float32Array;
}

/** What a style is drawn from. With `style.whole` each region has a start of its own, see `stylePredictor`. */
export function styleStart(
  style: Style,
  masks: readonly Uint8Array[],
  inversion: Inversion,
  { timesteps }: Scheduler,
): Float32Array {
  const start = latentAt(inversion, timesteps[0] as number);
  return style.whole ? start : recolouredStart(start, masks, style.recolour);
}

/** What keeps the latent outside the regions on the content's own way. */
export function pinned(masks: readonly Uint8Array[], inversion: Inversion, { timesteps }: Scheduler): Inpaint {
  const size = masks[0]?.length ?? 0;
  const mask = Float32Array.from({ length: size }, (_, cell) => (masks.some((plane) => plane[cell] === 1) ? 1 : 0));
  const known = (call: number) => {
    const next = timesteps[call + 1];
    return next === undefined ? inversion.clean : latentAt(inversion, next);
  };
  return { kind: 'trajectory', mask, known };
}

export interface StyleOptions {
  unet: UNetNetwork;
  /**
   * Its parts: the bare model without a prompt, then for each region its own, and the same without a prompt (whose positive row
   * the content goes through).
   */
  composition: Composition;
  request: SizedRequest;
  style: Style;
  masks: readonly Uint8Array[];
  inversion: Inversion;
  scheduler: Scheduler;
  drawNoise: DrawNoise;
  trainTimesteps: number;
}

export function stylePredictor(options: StyleOptions): Predictor {
  const { unet, composition, request, style, masks, inversion, scheduler, drawNoise, trainTimesteps } = options;
  const { guidance, steps } = request;
  const { timeCondProjDim } = unet.config;
  const embedding = timeCondProjDim === null ? undefined : guidanceEmbedding(guidance.scale, timeCondProjDim);
  // Where the content's own way is followed, nobody hears what is predicted outside, unless a rescale measures it with the rest.
  const heard = !style.pin || (!style.whole && guidance.rescale > 0);
  /** With `style.whole`: the picture that each region's adapters draw. */
  let wholes: Float32Array[] | null = null;
  return async ({ input, latent, shape, timestep, step, call }) => {
    const parts = composition.at(step);
    const content = latentAt(inversion, timestep);
    const guided = embedding === undefined && guidance.scale > 1 && guidanceActive(step, steps, guidance.interval);
    const early = Math.min(1, (2 * timestep) / trainTimesteps);

    /** Rows of what is `seen` after the content's own, whose features and attention they take by these weights. */
    const draw = async (
      own: PlannedRow,
      rows: readonly PlannedRow[],
      weights: { features: number; attention: number },
      seen: Float32Array,
    ) => {
      const injected = weights.features > 0 || weights.attention > 0;
      const drawn = rows.map((row): UNetRow => withWeights({ ...row, latent: seen }, weights));
      const all = injected
        ? [withWeights({ ...own, latent: content }, { features: 0, attention: 0 }), ...drawn]
        : drawn;
      const outputs = await unet.call({
        latent: input,
        shape,
        timestep,
        rows: all,
        variant: composition.variant,
        guidance: embedding,
        together: injected,
      });
      return outputs.slice(injected ? 1 : 0).map(({ out_sample }: UNetOutputs) => out_sample as Float32Array);
    };

    const [bare] = parts;
    if (!bare) throw new Error('a style without a bare model');
    // Both guidance rows of the bare model have an empty prompt: they are one.
    const [outside] = heard
      ? await draw(bare.positive, [bare.positive], { features: 1, attention: early }, input)
      : [latent];
    const cond = (outside as Float32Array).slice();
    const uncond = cond.slice();
    const weights = {
      features: step < style.features * steps ? 1 : 0,
      attention: step < style.attention * steps ? early : 0,
    };
    const guide = (empty: Float32Array, told: Float32Array) =>
      guided ? rescaleGuidance(classifierFreeGuidance(empty, told, guidance.scale), told, guidance.rescale) : told;
    if (style.whole && !wholes) {
      const everywhere = new Uint8Array(shape[1] * shape[2]).fill(1);
      const start = recolouredStart(content, [everywhere], style.recolour);
      wholes = masks.map(() => start);
    }
    const joined = latent.slice();
    for (const [region, mask] of masks.entries()) {
      const part = parts[1 + 2 * region];
      const empty = parts[2 + 2 * region];
      if (!part || !empty) throw new Error('a region without a part');
      const rows = guided && part.negative ? [part.negative, part.positive] : [part.positive];
      const seen = wholes?.[region] ?? latent;
      const given = await draw(empty.positive, rows, weights, scheduler.scaleModelInput(seen, call));
      const [first, last] = [given[0] as Float32Array, given.at(-1) as Float32Array];
      if (wholes) {
        const prediction = guide(first, last);
        overwrite(joined, seen, mask);
        overwrite(cond, prediction, mask);
        wholes[region] = scheduler.step(prediction, call, seen, drawNoise);
      } else {
        overwrite(uncond, first, mask);
        overwrite(cond, last, mask);
      }
    }
    // What lies outside a region in its own picture is in no prediction of the joined one: with the latent given, none is kept to go on from.
    return wholes ? { prediction: cond, latent: joined } : { prediction: guide(uncond, cond) };
  };
}

/** A later region lies over an earlier one. */
function overwrite(target: Float32Array, source: Float32Array, mask: Uint8Array): void {
  for (const [at, value] of source.entries()) if (mask[at % mask.length] === 1) target[at] = value;
}

function withWeights(row: UNetRow, { features, attention }: { features: number; attention: number }): UNetRow {
  const weight = (value: number, rank: number): Tensor => ({
    data: Float32Array.of(value),
    shape: Array.from({ length: rank }, () => 1),
  });
  return {
    ...row,
    inputs: {
      ...row.inputs,
      'injection/features': weight(features, 4),
      'injection/attention': weight(attention, 3),
    },
  };
}
