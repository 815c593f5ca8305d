import type { LevelSizes } from '../adapters/gates.ts';

type Size = LevelSizes[number];

/**
 * Where a concept is, by its tokens' attention maps (CLoRA): a cell that any of the maps holds above `threshold` of its own
 * highest value. 1 inside.
 */
export function conceptMask(maps: readonly Float32Array[], threshold: number): Uint8Array {
  const mask = new Uint8Array(maps[0]?.length ?? 0);
  for (const map of maps) {
    const bar = threshold * map.reduce((high, value) => Math.max(high, value), 0);
    for (const [at, value] of map.entries()) if (value > bar) mask[at] = 1;
  }
  return mask;
}

/**
 * Whose each cell is: that concept's whose maps are highest there, each smoothed (the mean of 3x3) and of its own highest value, the mean
 * over a concept's maps; the first of equals. A mask a concept, which together hold each cell once.
 * @param maps of each concept, [places]
 */
export function highestMasks(maps: readonly (readonly Float32Array[])[], size: Size): Uint8Array[] {
  const scores = maps.map((own) => meanOf(own.map((map) => ofHighest(smoothed(map, size)))));
  const masks = scores.map(() => new Uint8Array(size.height * size.width));
  for (let cell = 0; cell < size.height * size.width; cell++) {
    let owner = 0;
    for (const [concept, score] of scores.entries()) {
      if ((score[cell] as number) > (scores[owner]?.[cell] as number)) owner = concept;
    }
    (masks[owner] as Uint8Array)[cell] = 1;
  }
  return masks;
}

function meanOf(maps: readonly Float32Array[]): Float32Array {
  const sum = new Float32Array(maps[0]?.length ?? 0);
  for (const map of maps) for (const [at, value] of map.entries()) sum[at] = (sum[at] as number) + value / maps.length;
  return sum;
}

function ofHighest(map: Float32Array): Float32Array {
  const highest = map.reduce((high, value) => Math.max(high, value), 0);
  return highest > 0 ? map.map((value) => value / highest) : map;
}

/** The mean of each cell and its neighbours; beyond the edge there are none. */
function smoothed(map: Float32Array, size: Size): Float32Array {
  return map.map((_, at) => {
    const cells = block(at, size);
    return cells.reduce((sum, cell) => sum + (map[cell] as number), 0) / cells.length;
  });
}

/** The cells of the 3x3 around one that lie within the edge, its own among them. */
function block(at: number, { height, width }: Size): number[] {
  const [y, x] = [Math.floor(at / width), at % width];
  const cells: number[] = [];
  for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
    for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++)
      cells.push(row * width + column);
  }
  return cells;
}

/** Morphological closing by 3x3: fills holes and notches of a cell. Beyond the edge nothing is added and nothing taken. */
export function closed(mask: Uint8Array, size: Size): Uint8Array {
  return swept(swept(mask, size, Math.max), size, Math.min);
}

function swept(mask: Uint8Array, size: Size, pick: (a: number, b: number) => number): Uint8Array {
  return mask.map((own, at) => block(at, size).reduce((value, cell) => pick(value, mask[cell] as number), own));
}

/** Intersection over union of masks, the mean over all pairs; 0 for a pair that claims nothing, or where there is no pair. */
export function meanOverlap(masks: readonly Uint8Array[]): number {
  const overlaps = masks.flatMap((one, index) => masks.slice(index + 1).map((other) => overlap(one, other)));
  return overlaps.reduce((sum, value) => sum + value, 0) / Math.max(1, overlaps.length);
}

function overlap(one: Uint8Array, other: Uint8Array): number {
  let [both, either] = [0, 0];
  for (const [at, value] of one.entries()) {
    if (value === 1 && other[at] === 1) both += 1;
    if (value === 1 || other[at] === 1) either += 1;
  }
  return both / Math.max(1, either);
}

/** A plane at a larger size: each cell takes the value under its top left corner. */
export function nearest(plane: Uint8Array, from: Size, to: Size): Uint8Array {
  const enlarged = new Uint8Array(to.height * to.width);
  for (let y = 0; y < to.height; y++) {
    const row = Math.floor((y * from.height) / to.height) * from.width;
    for (let x = 0; x < to.width; x++) {
      enlarged[y * to.width + x] = plane[row + Math.floor((x * from.width) / to.width)] as number;
    }
  }
  return enlarged;
}

/**
 * How much each prediction counts at each latent cell: the concepts' evenly where several claim it, the plain one's (the first)
 * where none does. They sum to 1.
 * @param masks of the concepts, at the latent's size
 */
export function maskShares(masks: readonly Uint8Array[]): Float32Array[] {
  const cells = masks[0]?.length ?? 0;
  const shares = Array.from({ length: masks.length + 1 }, () => new Float32Array(cells));
  for (let cell = 0; cell < cells; cell++) {
    const claims = masks.filter((mask) => mask[cell] === 1).length;
    if (claims === 0) (shares[0] as Float32Array)[cell] = 1;
    for (const [index, mask] of masks.entries()) {
      if (mask[cell] === 1) (shares[index + 1] as Float32Array)[cell] = 1 / claims;
    }
  }
  return shares;
}
