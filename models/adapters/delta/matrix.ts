/** Products of float32 factors as float64, for building a delta; sizes are a layer's. */

/** a [rows, inner] times b [inner, columns]. */
export function multiply(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  rows: number,
  columns: number,
  inner: number,
): Float64Array {
  const product = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < inner; k++) {
      const factor = a[i * inner + k] as number;
      if (factor === 0) continue;
      for (let j = 0; j < columns; j++) {
        product[i * columns + j] = (product[i * columns + j] as number) + factor * (b[k * columns + j] as number);
      }
    }
  }
  return product;
}

/** a [rows, columns] as [columns, rows]. */
export function transpose(a: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const t = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) t[j * rows + i] = a[i * columns + j] as number;
  return t;
}

/**
 * Tucker core [r, s, kernel] with its input side [s, input]: [r, input, kernel], row r being what output factor r takes
 * from the picture.
 */
export function tuckerInput(
  core: ArrayLike<number>,
  side: ArrayLike<number>,
  sizes: { r: number; s: number; input: number; kernel: number },
): Float64Array {
  const { r, s, input, kernel } = sizes;
  const combined = new Float64Array(r * input * kernel);
  for (let a = 0; a < r; a++) {
    for (let b = 0; b < s; b++) {
      for (let i = 0; i < input; i++) {
        const weight = side[b * input + i] as number;
        if (weight === 0) continue;
        for (let k = 0; k < kernel; k++) {
          const at = (a * input + i) * kernel + k;
          combined[at] = (combined[at] as number) + weight * (core[(a * s + b) * kernel + k] as number);
        }
      }
    }
  }
  return combined;
}
