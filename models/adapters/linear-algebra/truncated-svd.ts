import { orthonormalise } from './orthonormalise.ts';
import { addProduct, squaredNorm, times, timesTransposed, transposed } from './products.ts';
import { symmetricEigen } from './symmetric-eigen.ts';

/**
 * A [rows, columns] about U diag(s) V^T, cut where it holds a stated share of the squared Frobenius norm.
 *
 * - Where the smaller side is at most {@link gramBelow}: the eigenvectors of A A^T, which is the optimal truncation.
 * - Above: the randomised range finder that grows by blocks (Halko, Martinsson, Tropp 2011; Yu, Gu, Li 2018, randQB_EI)
 *   with one power iteration a block. The energy held is exact at every block, ||B||^2 of B = Q^T A, so the growth stops
 *   when it is reached and no rank need be guessed. The rank may exceed the optimal one by a little, never the energy
 *   fall short.
 * - Where the energy would need more than half of all ranks, no low rank is worth its cost: null. From the third block on
 *   that is foretold from the last two, as if the blocks' energies went on falling at that ratio: a flat spectrum, as
 *   DoRA's, is given up after a few blocks.
 */
export interface Svd {
  rank: number;
  /** [rank, rows]: left singular vectors as rows. */
  left: Float64Array;
  /** Singular values, falling. */
  values: Float64Array;
  /** [rank, columns]: right singular vectors as rows. */
  right: Float64Array;
  /** Share of the squared Frobenius norm held; 1 for a matrix of zeros, which has rank 0. */
  energy: number;
}

const gramBelow = 256;
const blockSize = 32;

export interface SvdOptions {
  /** Do not refuse a high rank. */
  atAnyRank?: boolean;
}

export function truncatedSvd(
  a: Float64Array,
  rows: number,
  columns: number,
  energy: number,
  options: SvdOptions = {},
): Svd | null {
  if (rows > columns) {
    const flipped = truncatedSvd(transposed(a, rows, columns), columns, rows, energy, options);
    return flipped && { ...flipped, left: flipped.right, right: flipped.left };
  }
  const total = squaredNorm(a);
  if (total === 0) {
    const none = new Float64Array(0);
    return { rank: 0, left: none, values: none, right: none, energy: 1 };
  }
  if (rows <= gramBelow) {
    const { vectors } = symmetricEigen(timesTransposed(a, a, rows, rows, columns), rows);
    return cut(vectors, times(vectors, a, rows, columns, rows), rows, columns, total, energy);
  }
  const range = growRange(a, rows, columns, total, energy, options.atAnyRank ? rows : rows >> 1);
  if (!range) return null;
  const { basis, projected, size } = range;
  const { vectors } = symmetricEigen(timesTransposed(projected, projected, size, size, columns), size);
  const left = times(vectors, basis, size, rows, size);
  return cut(left, times(vectors, projected, size, columns, size), rows, columns, total, energy);
}

/** From orthonormal rows `left` and the projections left . A (orthogonal rows, falling): the first that hold `energy`. */
function cut(
  left: Float64Array,
  projections: Float64Array,
  rows: number,
  columns: number,
  total: number,
  energy: number,
): Svd {
  const available = left.length / rows;
  const values: number[] = [];
  let held = 0;
  while (values.length < available && held < energy * total) {
    const at = values.length * columns;
    const square = squaredNorm(projections.subarray(at, at + columns));
    if (square <= total * 1e-24) break;
    held += square;
    values.push(Math.sqrt(square));
  }
  const rank = values.length;
  const right = projections.slice(0, rank * columns);
  for (const [i, value] of values.entries()) {
    for (let j = i * columns; j < (i + 1) * columns; j++) right[j] = (right[j] as number) / value;
  }
  return {
    rank,
    left: left.slice(0, rank * rows),
    values: Float64Array.from(values),
    right,
    energy: Math.min(held / total, 1),
  };
}

/** An orthonormal basis [size, rows] of the part of the range that holds `energy`, and its product with A. */
function growRange(
  a: Float64Array,
  rows: number,
  columns: number,
  total: number,
  energy: number,
  most: number,
): { basis: Float64Array; projected: Float64Array; size: number } | null {
  const normal = normals();
  let basis = new Float64Array(0);
  let projected = new Float64Array(0);
  let size = 0;
  let held = 0;
  const gains: number[] = [];
  const outside = (probe: Float64Array, count: number): Float64Array => {
    const image = timesTransposed(probe, a, count, rows, columns);
    if (size === 0) return image;
    return addProduct(image, timesTransposed(probe, projected, count, size, columns), basis, count, rows, size, -1);
  };
  while (held < energy * total) {
    if (size >= most && most < rows) return null;
    let block = outside(Float64Array.from({ length: blockSize * columns }, normal), blockSize);
    let count = orthonormalise(block, blockSize, rows, basis, size);
    const probe = times(block, a, count, columns, rows);
    block = outside(probe, count);
    count = orthonormalise(block, count, rows, basis, size);
    if (count === 0) break;
    block = block.subarray(0, count * rows);
    const image = times(block, a, count, columns, rows);
    const gained = squaredNorm(image);
    held += gained;
    basis = joined(basis, block);
    projected = joined(projected, image);
    size += count;
    gains.push(gained);
    if (most < rows && size + count * blocksNeeded(gains, energy * total - held) > most) return null;
  }
  return { basis, projected, size };
}

/** How many more blocks hold `needed`, if their energies go on falling as the last two did. */
function blocksNeeded(gains: readonly number[], needed: number): number {
  const last = gains.at(-1) ?? 0;
  const before = gains.at(-2) ?? 0;
  // The first block holds the head of the spectrum, which says nothing of its tail.
  if (needed <= 0 || gains.length < 3) return 0;
  const ratio = last / before;
  if (ratio >= 1) return needed / last;
  const reached = (needed * (1 - ratio)) / (last * ratio);
  // Nearly all of an exponential tail is asked for, so the ratio's error decides on which side of 1 this falls.
  return Math.log(1 - Math.min(reached, 0.97)) / Math.log(ratio);
}

function joined(a: Float64Array, b: Float64Array): Float64Array<ArrayBuffer> {
  const both = new Float64Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Standard normals, the same at every call, so that a file always opens to the same factors (mulberry32, Box-Muller). */
function normals(): () => number {
  let state = 0x9e3779b9;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
