import { addProduct, squaredNorm, times, timesTransposed, transposed } from '../linear-algebra/products.ts';
import { symmetricEigen } from '../linear-algebra/symmetric-eigen.ts';
import type { ToolLayer } from './tool-layer.ts';

/**
 * Intruder dimensions (Shuttleworth et al. 2024, LoRA vs Full Fine-tuning): of the largest singular values of W + D, those
 * whose left singular vector is close to none of W's: every cosine below `below`.
 */
export interface IntruderOptions {
  /** How many of the largest are looked at. */
  top?: number;
  /** 0 to 1. */
  below?: number;
}

export interface Intruder {
  /** Its place among the singular values of W + D, from 0. */
  place: number;
  value: number;
  /** The largest |cosine| to any left singular vector of W. */
  cosine: number;
  /** [out], unit. */
  left: Float64Array;
  /** [columns], unit. */
  right: Float64Array;
}

/** @param base W [out, columns], flat. Takes about 18 n^3 operations, n the smaller side. */
export function findIntruders(layer: ToolLayer, base: Float32Array, options: IntruderOptions = {}): Intruder[] {
  const { top = 10, below = 0.5 } = options;
  const { out, rank, scale } = layer;
  const columns = layer.down.length / rank;
  const weight = Float64Array.from(base);
  const tuned = weight.slice();
  addProduct(tuned, Float64Array.from(layer.up), Float64Array.from(layer.down), out, columns, rank, scale);
  const before = leftVectors(weight, out, columns);
  const after = leftVectors(tuned, out, columns, top);
  const cosines = timesTransposed(after.vectors, before.vectors, after.size, before.size, out);
  const found: Intruder[] = [];
  for (let place = 0; place < after.size; place++) {
    let cosine = 0;
    for (const value of cosines.subarray(place * before.size, (place + 1) * before.size)) {
      cosine = Math.max(cosine, Math.abs(value));
    }
    if (cosine >= below) continue;
    const left = after.vectors.slice(place * out, (place + 1) * out);
    const right = times(left, tuned, 1, columns, out);
    const value = Math.sqrt(squaredNorm(right));
    for (let i = 0; i < columns; i++) right[i] = (right[i] as number) / value;
    found.push({ place, value, cosine, left, right });
  }
  return found;
}

/** Left singular vectors as rows, the largest values first, by the Gram matrix of the smaller side. */
function leftVectors(
  a: Float64Array,
  rows: number,
  columns: number,
  most = Number.POSITIVE_INFINITY,
): { size: number; vectors: Float64Array } {
  const wide = rows <= columns;
  const small = Math.min(rows, columns);
  const sided = wide ? a : transposed(a, rows, columns);
  const { values, vectors } = symmetricEigen(
    timesTransposed(sided, sided, small, small, Math.max(rows, columns)),
    small,
  );
  // Below this a value is the rounding of the Gram matrix, and its vector anything.
  const least = (values[0] ?? 0) * 1e-13;
  let size = 0;
  while (size < Math.min(small, most) && (values[size] as number) > least) size++;
  const kept = vectors.slice(0, size * small);
  if (wide) return { size, vectors: kept };
  // u = A v / value
  const images = times(kept, sided, size, rows, small);
  for (let i = 0; i < size; i++) {
    const image = images.subarray(i * rows, (i + 1) * rows);
    const length = Math.sqrt(squaredNorm(image));
    for (let k = 0; k < rows; k++) image[k] = (image[k] as number) / length;
  }
  return { size, vectors: images };
}

/**
 * Scales intruders in W + D by `factor`: D' = D + (factor - 1) sum of value u v^T, exactly, at a rank higher by their number.
 */
export function calm(layer: ToolLayer, intruders: readonly Intruder[], factor: number): ToolLayer {
  if (intruders.length === 0) return layer;
  const { out, down, rank: before, scale, downShape } = layer;
  const rank = before + intruders.length;
  const columns = down.length / before;
  const up = new Float32Array(out * rank);
  const wider = new Float32Array(rank * columns);
  wider.set(down);
  for (let o = 0; o < out; o++) {
    for (let r = 0; r < before; r++) up[o * rank + r] = scale * (layer.up[o * before + r] as number);
  }
  for (const [i, { value, left, right }] of intruders.entries()) {
    const root = Math.sqrt(value);
    for (let o = 0; o < out; o++) up[o * rank + before + i] = (factor - 1) * root * (left[o] as number);
    for (let c = 0; c < columns; c++) wider[(before + i) * columns + c] = root * (right[c] as number);
  }
  return { ...layer, rank, up, down: wider, scale: 1, downShape: [rank, ...downShape.slice(1)] };
}
