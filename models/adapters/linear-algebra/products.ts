/**
 * Matrix products over row-major Float64Arrays, in tiles of two by four, so that a number is used several times once
 * it is loaded. Plain loops: they only ever see the factors of single layers.
 */

/** Numbers of a row that are worked on at once, so that the tiles' rows stay in the cache. */
const chunk = 512;

/** x [rows, inner] times the transpose of a [columns, inner]: [rows, columns]. */
export function timesTransposed(
  x: Float64Array,
  a: Float64Array,
  rows: number,
  columns: number,
  inner: number,
): Float64Array {
  const y = new Float64Array(rows * columns);
  for (let from = 0; from < inner; from += chunk) {
    const sizes = { rows, columns, inner, from, to: Math.min(from + chunk, inner) };
    addDotTiles(y, x, a, sizes);
  }
  return y;
}

interface DotSizes {
  rows: number;
  columns: number;
  inner: number;
  from: number;
  to: number;
}

function addDotTiles(y: Float64Array, x: Float64Array, a: Float64Array, sizes: DotSizes): void {
  const { rows, columns, inner, from, to } = sizes;
  const tiledRows = rows - (rows % 2);
  const tiledColumns = columns - (columns % 4);
  for (let j = 0; j < tiledColumns; j += 4) {
    const [a0, a1, a2, a3] = [j * inner, (j + 1) * inner, (j + 2) * inner, (j + 3) * inner];
    for (let i = 0; i < tiledRows; i += 2) {
      const x0 = i * inner;
      const x1 = x0 + inner;
      let [s00, s01, s02, s03, s10, s11, s12, s13] = [0, 0, 0, 0, 0, 0, 0, 0];
      for (let k = from; k < to; k++) {
        const u = x[x0 + k] as number;
        const v = x[x1 + k] as number;
        const b0 = a[a0 + k] as number;
        const b1 = a[a1 + k] as number;
        const b2 = a[a2 + k] as number;
        const b3 = a[a3 + k] as number;
        s00 += u * b0;
        s01 += u * b1;
        s02 += u * b2;
        s03 += u * b3;
        s10 += v * b0;
        s11 += v * b1;
        s12 += v * b2;
        s13 += v * b3;
      }
      const upper = i * columns + j;
      const lower = upper + columns;
      y[upper] = (y[upper] as number) + s00;
      y[upper + 1] = (y[upper + 1] as number) + s01;
      y[upper + 2] = (y[upper + 2] as number) + s02;
      y[upper + 3] = (y[upper + 3] as number) + s03;
      y[lower] = (y[lower] as number) + s10;
      y[lower + 1] = (y[lower + 1] as number) + s11;
      y[lower + 2] = (y[lower + 2] as number) + s12;
      y[lower + 3] = (y[lower + 3] as number) + s13;
    }
  }
  const addDot = (i: number, j: number): void => {
    let sum = 0;
    for (let k = from; k < to; k++) sum += (x[i * inner + k] as number) * (a[j * inner + k] as number);
    y[i * columns + j] = (y[i * columns + j] as number) + sum;
  };
  for (let i = tiledRows; i < rows; i++) for (let j = 0; j < tiledColumns; j++) addDot(i, j);
  for (let j = tiledColumns; j < columns; j++) for (let i = 0; i < rows; i++) addDot(i, j);
}

/** y [rows, columns] += factor * x [rows, inner] times a [inner, columns]. */
export function addProduct(
  y: Float64Array,
  x: Float64Array,
  a: Float64Array,
  rows: number,
  columns: number,
  inner: number,
  factor = 1,
): Float64Array {
  const tiledRows = rows - (rows % 2);
  const tiledInner = inner - (inner % 4);
  for (let from = 0; from < columns; from += chunk) {
    const to = Math.min(from + chunk, columns);
    for (let k = 0; k < tiledInner; k += 4) {
      const [a0, a1, a2, a3] = [k * columns, (k + 1) * columns, (k + 2) * columns, (k + 3) * columns];
      for (let i = 0; i < tiledRows; i += 2) {
        const at = i * inner + k;
        const u0 = factor * (x[at] as number);
        const u1 = factor * (x[at + 1] as number);
        const u2 = factor * (x[at + 2] as number);
        const u3 = factor * (x[at + 3] as number);
        const v0 = factor * (x[at + inner] as number);
        const v1 = factor * (x[at + inner + 1] as number);
        const v2 = factor * (x[at + inner + 2] as number);
        const v3 = factor * (x[at + inner + 3] as number);
        const upper = i * columns;
        const lower = upper + columns;
        for (let j = from; j < to; j++) {
          const b0 = a[a0 + j] as number;
          const b1 = a[a1 + j] as number;
          const b2 = a[a2 + j] as number;
          const b3 = a[a3 + j] as number;
          y[upper + j] = (y[upper + j] as number) + u0 * b0 + u1 * b1 + u2 * b2 + u3 * b3;
          y[lower + j] = (y[lower + j] as number) + v0 * b0 + v1 * b1 + v2 * b2 + v3 * b3;
        }
      }
    }
  }
  const addRow = (i: number, k: number): void => {
    const scaled = factor * (x[i * inner + k] as number);
    for (let j = 0; j < columns; j++) {
      y[i * columns + j] = (y[i * columns + j] as number) + scaled * (a[k * columns + j] as number);
    }
  };
  for (let i = tiledRows; i < rows; i++) for (let k = 0; k < tiledInner; k++) addRow(i, k);
  for (let k = tiledInner; k < inner; k++) for (let i = 0; i < rows; i++) addRow(i, k);
  return y;
}

/** x [rows, inner] times a [inner, columns]. */
export function times(x: Float64Array, a: Float64Array, rows: number, columns: number, inner: number): Float64Array {
  return addProduct(new Float64Array(rows * columns), x, a, rows, columns, inner);
}

export function transposed(a: Float64Array, rows: number, columns: number): Float64Array {
  const t = new Float64Array(a.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) t[j * rows + i] = a[i * columns + j] as number;
  return t;
}

export function squaredNorm(a: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (a[i] as number);
  return sum;
}
