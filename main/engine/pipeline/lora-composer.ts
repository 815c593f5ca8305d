import type { SegmentMixing } from '../../../models/passes/cross-segments.ts';
import type { RegionCells } from '../adapters/region-cells.ts';
import type { LatentShape } from '../model/conditioning.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
import { type DrawingMethod, type PredictorOptions, partsPredictor } from './predictor.ts';

/**
 * LoRA-Composer (Yang et al. 2024). Region-aware cross-attention and the isolation of regions lie in the graph's variant
 * (`models/passes/cross-segments.ts`, `RegionCells`); here is the third step: each region starts from the noise in which its
 * concept is looked for.
 */
export interface LoraComposerOptions extends PredictorOptions {
  cells: RegionCells;
  /** Columns of each region's words within its own segment, at a step. */
  words: (step: number) => readonly (readonly number[])[];
  maps: { output: string; level: number; mixing: SegmentMixing };
  shape: LatentShape;
  scheduler: Scheduler;
  reinit: boolean;
}

export function loraComposer(options: LoraComposerOptions): DrawingMethod {
  const predict = partsPredictor(options);
  if (!options.reinit) return { predict };
  return { predict, begin: (start) => reinitialised(start, options) };
}

/**
 * Copies into each region's box the noise of the window in which its concept's map is highest at the first step, drawn from
 * the prompt alone, and brings the latent back to its mean and deviation.
 */
async function reinitialised(start: Float32Array, options: LoraComposerOptions): Promise<Float32Array> {
  const { unet, composition, scheduler, shape, cells, maps, words } = options;
  const [timestep] = scheduler.timesteps;
  if (timestep === undefined) return start;
  const { positive } = composition.at(0)[0] as ReturnType<typeof composition.at>[number];
  const variant = { ...composition.variant, maps: { level: maps.level, alone: true } };
  const latent = scheduler.scaleModelInput(start, 0);
  const [row] = await unet.call({ latent, shape, timestep, rows: [positive], variant });
  const given = row?.[maps.output] as Float32Array;
  const segments = cells.regions + 1;
  const { height, width } = cells.size(maps.level);
  const layout: RegionMaps = {
    mixing: maps.mixing,
    segments,
    places: height * width,
    tokens: positive.conditioning.tokens / segments,
  };
  const moved = start.slice();
  for (const [region, columns] of words(0).entries()) {
    const map = regionMap(given, layout, region + 1, columns);
    copyBestWindow(start, moved, map, region, options);
  }
  return withMoments(moved, start);
}

/** The mean over a region's words of its segment's map: [places]. */
export function regionMap(
  maps: Float32Array,
  { mixing, segments, places, tokens }: RegionMaps,
  segment: number,
  columns: readonly number[],
): Float32Array {
  return Float32Array.from({ length: places }, (_, place) => {
    const first = mixing === 'output' ? (segment * places + place) * tokens : (place * segments + segment) * tokens;
    return columns.reduce((sum, column) => sum + (maps[first + column] as number), 0) / columns.length;
  });
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
