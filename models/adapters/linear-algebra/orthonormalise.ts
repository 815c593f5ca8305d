import { squaredNorm } from './products.ts';

const none = new Float64Array(0);

/**
 * Makes the first `count` rows of `block` orthonormal, also to `basis`, and packs them to the front; those that depend
 * on the others are dropped. Twice Gram-Schmidt is enough (Parlett).
 * @returns How many remain.
 */
export function orthonormalise(
  block: Float64Array,
  count: number,
  width: number,
  basis: Float64Array = none,
  size = 0,
): number {
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const row = block.slice(i * width, (i + 1) * width);
    const before = Math.sqrt(squaredNorm(row));
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < size; j++) subtractProjection(row, basis, j * width);
      for (let j = 0; j < kept; j++) subtractProjection(row, block, j * width);
    }
    const length = Math.sqrt(squaredNorm(row));
    if (!(length > 1e-12 * before)) continue;
    for (let k = 0; k < width; k++) block[kept * width + k] = (row[k] as number) / length;
    kept++;
  }
  return kept;
}

function subtractProjection(row: Float64Array, others: Float64Array, at: number): void {
  let sum = 0;
  for (let k = 0; k < row.length; k++) sum += (row[k] as number) * (others[at + k] as number);
  for (let k = 0; k < row.length; k++) row[k] = (row[k] as number) - sum * (others[at + k] as number);
}
