import type { CellBox } from '../adapters/region-cells.ts';

/** A region on the cells of the maps. */
export interface RegionPlace {
  size: { height: number; width: number };
  /** 1 inside, [height * width]. */
  plane: Uint8Array;
  box: CellBox;
}

export interface RegionLoss {
  loss: number;
  /** The derivative with respect to the region's map, [height * width]. */
  toMap: Float32Array;
  /** Those with respect to the weights of self-attention that count, by place in [places, places]. */
  toSelf: Map<number, number>;
}

const weights = { fill: 8, edges: 2, leak: 10 };
const highest = 0.2;

/**
 * LoRA-Composer's loss for one region: its concept's map A, smoothed (3x3, deviation 0.5), is to fill the region and stay in it,
 * and its places are not to look outside. With M the region's cells and G a Gaussian over its box (a quarter of each side its
 * deviation), the sum of
 * 8 (1 - mean of the highest fifth of A M G),
 * 2 (mean |max of each column of A - 1 inside the box, 0 outside| + the same of rows),
 * 10 mean of the highest fifth of the self-attention from places inside to places outside.
 * @param map the mean map of the region's words, [height * width]
 * @param self self-attention, [places, places], queries first
 */
export function regionLoss(map: Float32Array, self: Float32Array, place: RegionPlace): RegionLoss {
  const smoothed = smooth(map, place.size);
  const toSmoothed = new Float64Array(map.length);
  const loss = fill(smoothed, place, toSmoothed) + edges(smoothed, place, toSmoothed);
  const { leak, toSelf } = leaks(self, place.plane);
  return { loss: loss + leak, toMap: Float32Array.from(throughSmoothing(toSmoothed, place.size)), toSelf };
}

/** Indices of the highest fifth of some values, at least one. */
function highestOf(indices: readonly number[], value: (index: number) => number): number[] {
  const count = Math.max(1, Math.floor(indices.length * highest));
  return indices.toSorted((a, b) => value(b) - value(a)).slice(0, count);
}

function fill(map: Float64Array, { size, plane, box }: RegionPlace, gradient: Float64Array): number {
  const inside = [...plane.keys()].filter((cell) => plane[cell] === 1);
  if (inside.length === 0) return 0;
  const factor = (cell: number) => gaussian(cell, size.width, box);
  const chosen = highestOf(inside, (cell) => (map[cell] as number) * factor(cell));
  let sum = 0;
  for (const cell of chosen) {
    sum += (map[cell] as number) * factor(cell);
    gradient[cell] = (gradient[cell] as number) - (weights.fill * factor(cell)) / chosen.length;
  }
  return weights.fill * (1 - sum / chosen.length);
}

function gaussian(cell: number, width: number, { top, left, bottom, right }: CellBox): number {
  const [y, x] = [Math.floor(cell / width) + 0.5, (cell % width) + 0.5];
  const [spreadY, spreadX] = [Math.max(0.5, (bottom - top) / 4), Math.max(0.5, (right - left) / 4)];
  return Math.exp(-0.5 * (((y - (top + bottom) / 2) / spreadY) ** 2 + ((x - (left + right) / 2) / spreadX) ** 2));
}

/** The map's projections on both axes against the box's. */
function edges(map: Float64Array, { size, box }: RegionPlace, gradient: Float64Array): number {
  const { height, width } = size;
  const project = (
    count: number,
    length: number,
    cell: (line: number, at: number) => number,
    inside: (line: number) => boolean,
  ) => {
    let sum = 0;
    for (let line = 0; line < count; line++) {
      let best = cell(line, 0);
      for (let at = 1; at < length; at++)
        if ((map[cell(line, at)] as number) > (map[best] as number)) best = cell(line, at);
      const difference = (map[best] as number) - (inside(line) ? 1 : 0);
      sum += Math.abs(difference);
      gradient[best] = (gradient[best] as number) + (weights.edges * Math.sign(difference)) / count;
    }
    return (weights.edges * sum) / count;
  };
  return (
    project(
      width,
      height,
      (x, y) => y * width + x,
      (x) => x >= box.left && x < box.right,
    ) +
    project(
      height,
      width,
      (y, x) => y * width + x,
      (y) => y >= box.top && y < box.bottom,
    )
  );
}

function leaks(self: Float32Array, plane: Uint8Array): { leak: number; toSelf: Map<number, number> } {
  const places = plane.length;
  const pairs: number[] = [];
  for (const [query, inside] of plane.entries()) {
    if (inside !== 1) continue;
    for (const [key, within] of plane.entries()) if (within !== 1) pairs.push(query * places + key);
  }
  if (pairs.length === 0) return { leak: 0, toSelf: new Map() };
  const chosen = highestOf(pairs, (pair) => self[pair] as number);
  const mean = chosen.reduce((sum, pair) => sum + (self[pair] as number), 0) / chosen.length;
  return { leak: weights.leak * mean, toSelf: new Map(chosen.map((pair) => [pair, weights.leak / chosen.length])) };
}

/** A Gaussian of deviation 0.5 on three cells, which sums to 1. */
const kernel = (() => {
  const side = Math.exp(-2);
  return [side, 1, side].map((value) => value / (1 + 2 * side));
})();

/** Beyond the edge the map is mirrored, its edge cells not repeated. */
const mirrored = (at: number, length: number): number => {
  if (length === 1) return 0;
  return at < 0 ? -at : at >= length ? 2 * length - 2 - at : at;
};

function smooth(map: Float32Array, size: RegionPlace['size']): Float64Array {
  const result = new Float64Array(map.length);
  eachTap(size, (to, from, factor) => {
    result[to] = (result[to] as number) + factor * (map[from] as number);
  });
  return result;
}

/** The transpose of smoothing. */
function throughSmoothing(cotangent: Float64Array, size: RegionPlace['size']): Float64Array {
  const result = new Float64Array(cotangent.length);
  eachTap(size, (to, from, factor) => {
    result[from] = (result[from] as number) + factor * (cotangent[to] as number);
  });
  return result;
}

function eachTap(
  { height, width }: RegionPlace['size'],
  visit: (to: number, from: number, factor: number) => void,
): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (const [row, down] of kernel.entries()) {
        for (const [column, across] of kernel.entries()) {
          const from = mirrored(y + row - 1, height) * width + mirrored(x + column - 1, width);
          visit(y * width + x, from, down * across);
        }
      }
    }
  }
}
