/**
 * Matrix products over row-major Float64Arrays, in tiles of four by four so that each number loaded is used four times.
 * About a thousand million multiply-adds a second: enough for factors of single layers, which is all they are for.
 */

/** x [rows, inner] times the transpose of a [columns, inner]: [rows, columns]. */
export function timesTransposed(
  x: Float64Array,
  a: Float64Array,
  rows: number,
  columns: number,
  inner: number,
): Float64Array {
  const y = new Float64Array(rows * columns);
  const dot = (i: number, j: number): number => {
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += (x[i * inner + k] as number) * (a[j * inner + k] as number);
    return sum;
  };
  const tiledRows = rows - (rows % 2);
  const tiledColumns = columns - (columns % 4);
  for (let j = 0; j < tiledColumns; j += 4) {
    const [a0, a1, a2, a3] = [j * inner, (j + 1) * inner, (j + 2) * inner, (j + 3) * inner];
    for (let i = 0; i < tiledRows; i += 2) {
      const x0 = i * inner;
      const x1 = x0 + inner;
      let [s00, s01, s02, s03, s10, s11, s12, s13] = [0, 0, 0, 0, 0, 0, 0, 0];
      for (let k = 0; k < inner; k++) {
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
      const first = i * columns + j;
      y[first] = s00;
      y[first + 1] = s01;
      y[first + 2] = s02;
      y[first + 3] = s03;
      y[first + columns] = s10;
      y[first + columns + 1] = s11;
      y[first + columns + 2] = s12;
      y[first + columns + 3] = s13;
    }
    for (let i = tiledRows; i < rows; i++) for (let c = j; c < j + 4; c++) y[i * columns + c] = dot(i, c);
  }
  for (let j = tiledColumns; j < columns; j++) for (let i = 0; i < rows; i++) y[i * columns + j] = dot(i, j);
  return y;
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
  const tiled = inner - (inner % 4);
  for (let k = 0; k < tiled; k += 4) {
    const [a0, a1, a2, a3] = [k * columns, (k + 1) * columns, (k + 2) * columns, (k + 3) * columns];
    for (let i = 0; i < rows; i++) {
      const at = i * inner + k;
      const x0 = factor * (x[at] as number);
      const x1 = factor * (x[at + 1] as number);
      const x2 = factor * (x[at + 2] as number);
      const x3 = factor * (x[at + 3] as number);
      const row = i * columns;
      for (let j = 0; j < columns; j++) {
        y[row + j] =
          (y[row + j] as number) +
          x0 * (a[a0 + j] as number) +
          x1 * (a[a1 + j] as number) +
          x2 * (a[a2 + j] as number) +
          x3 * (a[a3 + j] as number);
      }
    }
  }
  for (let k = tiled; k < inner; k++) {
    for (let i = 0; i < rows; i++) {
      const scaled = factor * (x[i * inner + k] as number);
      for (let j = 0; j < columns; j++) {
        y[i * columns + j] = (y[i * columns + j] as number) + scaled * (a[k * columns + j] as number);
      }
    }
  }
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
