import type { Composition as CompositionSettings } from '../../../contract/request.ts';
import type { SegmentMixing } from '../../../models/passes/cross-segments.ts';
import type { RegionCells } from '../adapters/region-cells.ts';
import type { LatentShape } from '../model/conditioning.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
import { mapGradient, moved } from './map-gradient.ts';
import {
  type DrawingMethod,
  distilledGuidance,
  type Predictor,
  type PredictorOptions,
  partsPredictor,
  type StepInput,
} from './predictor.ts';
import { regionLoss } from './region-loss.ts';

/**
 * LoRA-Composer (Yang et al. 2024). Region-aware cross-attention and the isolation of regions lie in the graph's variant
 * (`models/passes/cross-segments.ts`, `RegionCells`); here are the third step, each region starting from the noise in which
 * its concept is looked for, and in the exact mode the fourth: one move a step down the gradient of `region-loss.ts`, in
 * the first steps and until the loss rises.
 */
export interface LoraComposerOptions extends PredictorOptions {
  cells: RegionCells;
  /** Columns of each region's words within its own segment, at a step. */
  words: (step: number) => readonly (readonly number[])[];
  maps: { output: string; level: number; mixing: SegmentMixing };
  shape: LatentShape;
  scheduler: Scheduler;
  settings: CompositionSettings;
}

export function loraComposer(options: LoraComposerOptions): DrawingMethod {
  const { mode, reinit } = options.settings;
  const predict = mode === 'exact' ? movingPredictor(options) : partsPredictor(options);
  if (!reinit) return { predict };
  return { predict, begin: (start) => reinitialised(start, options) };
}

/** Of the authors' code: step size, steps with moves, and the first at which a rising loss ends them. */
const rate = 20;
const stepsWithMoves = 25;
const firstStop = 5;

/** Moves the latent before each step is drawn. Its state is one picture's. */
function movingPredictor(options: LoraComposerOptions): Predictor {
  const draw = partsPredictor(options);
  const { scheduler, settings, steps } = options;
  const last = settings.updateSteps ?? stepsWithMoves;
  let before = Number.POSITIVE_INFINITY;
  let done = false;
  return async (at) => {
    if (done || at.step >= last) return draw(at);
    const { loss, gradient } = await regionGradient(at, options);
    done = at.step >= firstStop && loss > before;
    before = loss;
    if (done) return draw(at);
    // The step size falls with the root of 1 at the first step to 0.5 at the last.
    const size = rate * Math.sqrt(1 - (0.5 * at.step) / Math.max(1, steps - 1));
    const to = moved(at, gradient, size, scheduler);
    return { ...(await draw(to)), latent: to.latent };
  };
}

/** The loss on the maps of the row of the prompt, and its gradient to the latent. */
async function regionGradient(at: StepInput, options: LoraComposerOptions) {
  const { unet, composition, cells, maps, words, guidance } = options;
  const { positive } = composition.at(at.step)[0] as ReturnType<typeof composition.at>[number];
  const variant = { ...composition.variant, maps: { level: maps.level, alone: true, self: true } };
  const embedding = distilledGuidance(unet, guidance);
  const { input, shape, timestep } = at;
  const [row] = await unet.call({ latent: input, shape, timestep, rows: [positive], variant, guidance: embedding });
  const selfOutput = maps.output.replace('/cross/', '/self/');
  const [cross, self] = [row?.[maps.output], row?.[selfOutput]] as [Float32Array, Float32Array];
  const layout = regionMaps(positive.conditioning.tokens, options);
  const toCross = new Float32Array(cross.length);
  const toSelf = new Float32Array(self.length);
  let loss = 0;
  for (const [region, columns] of words(at.step).entries()) {
    const place = {
      size: cells.size(maps.level),
      plane: cells.plane(region, maps.level),
      box: cells.box(region, maps.level),
    };
    const found = regionLoss(regionMap(cross, layout, region + 1, columns), self, place);
    loss += found.loss;
    for (const [cell, value] of found.toMap.entries()) {
      const first = firstToken(layout, region + 1, cell);
      for (const column of columns) {
        const index = first + column;
        toCross[index] = (toCross[index] as number) + value / columns.length;
      }
    }
    for (const [pair, value] of found.toSelf) toSelf[pair] = (toSelf[pair] as number) + value;
  }
  const { places, segments, tokens } = layout;
  const apart = layout.mixing === 'output';
  const cotangents = {
    [maps.output]: { data: toCross, shape: apart ? [segments, places, tokens] : [1, places, segments * tokens] },
    [selfOutput]: { data: toSelf, shape: [1, places, places] },
  };
  const gradient = await mapGradient(at, [{ row: positive, cotangents }], { unet, variant, guidance: embedding });
  return { loss, gradient };
}

/** How the maps of a row of so many tokens lie. */
function regionMaps(tokens: number, { cells, maps }: LoraComposerOptions): RegionMaps {
  const segments = cells.regions + 1;
  const { height, width } = cells.size(maps.level);
  return { mixing: maps.mixing, segments, places: height * width, tokens: tokens / segments };
}

/**
 * Copies into each region's box the noise of the window in which its concept's map is highest at the first step, drawn from
 * the prompt alone, and brings the latent back to its mean and deviation.
 */
async function reinitialised(start: Float32Array, options: LoraComposerOptions): Promise<Float32Array> {
  const { unet, composition, scheduler, shape, maps, words } = options;
  const [timestep] = scheduler.timesteps;
  if (timestep === undefined) return start;
  const { positive } = composition.at(0)[0] as ReturnType<typeof composition.at>[number];
  const variant = { ...composition.variant, maps: { level: maps.level, alone: true } };
  const latent = scheduler.scaleModelInput(start, 0);
  const [row] = await unet.call({ latent, shape, timestep, rows: [positive], variant });
  const given = row?.[maps.output] as Float32Array;
  const layout = regionMaps(positive.conditioning.tokens, options);
  const composed = start.slice();
  for (const [region, columns] of words(0).entries()) {
    const map = regionMap(given, layout, region + 1, columns);
    copyBestWindow(start, composed, map, region, options);
  }
  return withMoments(composed, start);
}

/** The mean over a region's words of its segment's map: [places]. */
export function regionMap(
  maps: Float32Array,
  layout: RegionMaps,
  segment: number,
  columns: readonly number[],
): Float32Array {
  return Float32Array.from({ length: layout.places }, (_, place) => {
    const first = firstToken(layout, segment, place);
    return columns.reduce((sum, column) => sum + (maps[first + column] as number), 0) / columns.length;
  });
}

/** Where a segment's tokens at a place begin. */
function firstToken({ mixing, segments, places, tokens }: RegionMaps, segment: number, place: number): number {
  return mixing === 'output' ? (segment * places + place) * tokens : (place * segments + segment) * tokens;
}

/** How the maps of a row lie: by segment, or all segments' tokens side by side. */
export interface RegionMaps {
  mixing: SegmentMixing;
  segments: number;
  places: number;
  /** Of one segment. */
  tokens: number;
}

function copyBestWindow(
  from: Float32Array,
  to: Float32Array,
  map: Float32Array,
  region: number,
  { cells, maps, shape }: LoraComposerOptions,
): void {
  const { height: mapHeight, width: mapWidth } = cells.size(maps.level);
  const onMap = cells.box(region, maps.level);
  const box = cells.box(region, 0);
  const [rows, columns] = [onMap.bottom - onMap.top, onMap.right - onMap.left];
  if (rows === 0 || columns === 0) return;
  let best = { sum: Number.NEGATIVE_INFINITY, top: 0, left: 0 };
  for (let top = 0; top + rows <= mapHeight; top++) {
    for (let left = 0; left + columns <= mapWidth; left++) {
      let sum = 0;
      for (let y = top; y < top + rows; y++) {
        for (let x = left; x < left + columns; x++) sum += map[y * mapWidth + x] as number;
      }
      if (sum > best.sum) best = { sum, top, left };
    }
  }
  const [channels, height, width] = shape;
  const [boxRows, boxColumns] = [box.bottom - box.top, box.right - box.left];
  const top = Math.min(Math.round((best.top * height) / mapHeight), height - boxRows);
  const left = Math.min(Math.round((best.left * width) / mapWidth), width - boxColumns);
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < boxRows; y++) {
      const source = (channel * height + top + y) * width + left;
      to.set(from.subarray(source, source + boxColumns), (channel * height + box.top + y) * width + box.left);
    }
  }
}

/** The values brought to another's mean and (unbiased) standard deviation. */
export function withMoments(values: Float32Array, like: Float32Array): Float32Array {
  const own = moments(values);
  const wanted = moments(like);
  return values.map((value) => ((value - own.mean) / own.deviation) * wanted.deviation + wanted.mean);
}

function moments(values: Float32Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (values.length - 1)) };
}
