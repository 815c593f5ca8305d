import { squaredNorm, transposed } from './products.ts';

/**
 * All singular values of a small matrix, small ones to high relative accuracy, which eigenvalues of its Gram matrix do not
 * give: one-sided Jacobi rotations of its rows until they are orthogonal (Golub and Van Loan, Matrix Computations, 8.6.3).
 */
export interface SmallSvd {
  /** min(rows, columns). */
  size: number;
  /** [size, rows]: left singular vectors as rows; zeros where the value is 0. */
  left: Float64Array;
  /** Falling. */
  values: Float64Array;
  /** [size, columns]: right singular vectors as rows; zeros where the value is 0. */
  right: Float64Array;
}

/** Six to ten do; it only ends a loop over NaN. */
const maxSweeps = 60;

export function jacobiSvd(a: Float64Array, rows: number, columns: number): SmallSvd {
  if (rows > columns) {
    const { size, left, values, right } = jacobiSvd(transposed(a, rows, columns), columns, rows);
    return { size, left: right, values, right: left };
  }
  const work = a.slice();
  // Row i of the turned matrix is row i of `turns` times A.
  const turns = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) turns[i * rows + i] = 1;
  for (let sweep = 0, turned = true; turned && sweep < maxSweeps; sweep++) {
    turned = false;
    for (let i = 0; i < rows; i++)
      for (let j = i + 1; j < rows; j++) turned = rotate(work, turns, i, j, rows) || turned;
  }
  const lengths = Float64Array.from({ length: rows }, (_, i) =>
    Math.sqrt(squaredNorm(work.subarray(i * columns, (i + 1) * columns))),
  );
  const order = Array.from({ length: rows }, (_, i) => i).sort(
    (x, y) => (lengths[y] as number) - (lengths[x] as number),
  );
  const left = new Float64Array(rows * rows);
  const right = new Float64Array(rows * columns);
  for (const [to, from] of order.entries()) {
    const length = lengths[from] as number;
    if (length === 0) continue;
    left.set(turns.subarray(from * rows, (from + 1) * rows), to * rows);
    for (let k = 0; k < columns; k++) right[to * columns + k] = (work[from * columns + k] as number) / length;
  }
  return { size: rows, left, values: Float64Array.from(order, (i) => lengths[i] as number), right };
}

/** Makes rows i and j orthogonal. @returns Whether they were not. */
function rotate(work: Float64Array, turns: Float64Array, i: number, j: number, rows: number): boolean {
  const columns = work.length / rows;
  const [a, b] = [i * columns, j * columns];
  let [aa, bb, ab] = [0, 0, 0];
  for (let k = 0; k < columns; k++) {
    const x = work[a + k] as number;
    const y = work[b + k] as number;
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  if (!(Math.abs(ab) > 1e-14 * Math.sqrt(aa * bb))) return false;
  const zeta = (bb - aa) / (2 * ab);
  const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const cosine = 1 / Math.hypot(1, tangent);
  turn(work, a, b, columns, cosine, cosine * tangent);
  turn(turns, i * rows, j * rows, rows, cosine, cosine * tangent);
  return true;
}

function turn(m: Float64Array, a: number, b: number, length: number, cosine: number, sine: number): void {
  for (let k = 0; k < length; k++) {
    const x = m[a + k] as number;
    const y = m[b + k] as number;
    m[a + k] = cosine * x - sine * y;
    m[b + k] = sine * x + cosine * y;
  }
}
