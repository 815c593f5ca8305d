import { transpose } from '../delta/matrix.ts';
import { jacobiSvd } from './jacobi-svd.ts';
import { orthonormalise } from './orthonormalise.ts';
import { times, timesTransposed } from './products.ts';

/** A delta as factors: scale * up . down, up [out, rank], down [rank, columns]. */
export interface LowRank {
  rank: number;
  out: number;
  up: Float32Array;
  down: Float32Array;
  scale: number;
}

/** Of scale * up . down, whole: as many values as the factors have independent directions, none left out. */
export interface LowRankSvd {
  size: number;
  /** [size, out]: left singular vectors as rows. */
  left: Float64Array;
  /** Falling, none negative. */
  values: Float64Array;
  /** [size, columns]: right singular vectors as rows. */
  right: Float64Array;
}

/**
 * Exact, without the delta: up = Q R and down^T = P S by Gram-Schmidt, so up . down = Q (R S^T) P^T, and the SVD of the
 * small core R S^T [at most rank, at most rank] gives that of the whole. In float64.
 */
export function lowRankSvd({ rank, out, up, down, scale }: LowRank): LowRankSvd {
  const columns = down.length / rank;
  const output = rangeOf(transpose(up, out, rank), rank, out);
  const input = rangeOf(Float64Array.from(down), rank, columns);
  const core = times(output.coordinates, transpose(input.coordinates, input.size, rank), output.size, input.size, rank);
  for (let i = 0; i < core.length; i++) core[i] = scale * (core[i] as number);
  const { size, left, values, right } = jacobiSvd(core, output.size, input.size);
  return {
    size,
    left: times(left, output.basis, size, out, output.size),
    values,
    right: times(right, input.basis, size, columns, input.size),
  };
}

/** An orthonormal basis [size, width] of what `rows` [count, width] span, and the rows' coordinates in it [size, count]. */
export function rangeOf(
  rows: Float64Array,
  count: number,
  width: number,
): { size: number; basis: Float64Array; coordinates: Float64Array } {
  const basis = rows.slice();
  const size = orthonormalise(basis, count, width);
  const kept = basis.slice(0, size * width);
  return { size, basis: kept, coordinates: timesTransposed(kept, rows, size, count, width) };
}
