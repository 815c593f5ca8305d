/**
 * All eigenvalues and eigenvectors of a symmetric matrix: Householder reduction to tridiagonal form, then QL steps with
 * implicit shifts (Golub and Van Loan, Matrix Computations, 8.3). About 9 n^3 operations.
 */
export interface Eigen {
  /** Falling. */
  values: Float64Array;
  /** [n, n]: row i is the unit eigenvector of value i. */
  vectors: Float64Array;
}

/** @param matrix [n, n], symmetric; it is overwritten. */
export function symmetricEigen(matrix: Float64Array, n: number): Eigen {
  const { diagonal, off, reflectors } = tridiagonalise(matrix, n);
  const rows = accumulate(reflectors, n);
  diagonalise(diagonal, off, rows, n);
  const order = Array.from({ length: n }, (_, i) => i).sort(
    (a, b) => (diagonal[b] as number) - (diagonal[a] as number),
  );
  const vectors = new Float64Array(n * n);
  for (const [to, from] of order.entries()) vectors.set(rows.subarray(from * n, (from + 1) * n), to * n);
  return { values: Float64Array.from(order, (i) => diagonal[i] as number), vectors };
}

/** H = I - factor v v^T, v beginning at index `first`. */
interface Reflector {
  first: number;
  vector: Float64Array;
  factor: number;
}

function tridiagonalise(a: Float64Array, n: number) {
  const diagonal = new Float64Array(n);
  const off = new Float64Array(n);
  const reflectors: Reflector[] = [];
  for (let k = 0; k < n; k++) {
    diagonal[k] = a[k * n + k] as number;
    if (k === n - 1) break;
    const first = k + 1;
    const size = n - first;
    // The matrix stays symmetric, so row k holds column k.
    const v = a.slice(k * n + first, (k + 1) * n);
    let norm = 0;
    for (const x of v) norm = Math.hypot(norm, x);
    if (size === 1 || norm === 0) {
      off[k] = v[0] as number;
      continue;
    }
    const head = v[0] as number;
    const image = head > 0 ? -norm : norm;
    off[k] = image;
    v[0] = head - image;
    const factor = 1 / (norm * norm - head * image);
    reflect(a, n, first, v, factor);
    reflectors.push({ first, vector: v, factor });
  }
  return { diagonal, off, reflectors };
}

/** The trailing block becomes H A H: A - v w^T - w v^T. */
function reflect(a: Float64Array, n: number, first: number, v: Float64Array, factor: number): void {
  const size = v.length;
  const w = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const row = (first + i) * n + first;
    let sum = 0;
    for (let j = 0; j < size; j++) sum += (a[row + j] as number) * (v[j] as number);
    w[i] = factor * sum;
  }
  let overlap = 0;
  for (let i = 0; i < size; i++) overlap += (v[i] as number) * (w[i] as number);
  for (let i = 0; i < size; i++) w[i] = (w[i] as number) - 0.5 * factor * overlap * (v[i] as number);
  for (let i = 0; i < size; i++) {
    const row = (first + i) * n + first;
    const vi = v[i] as number;
    const wi = w[i] as number;
    for (let j = 0; j < size; j++) a[row + j] = (a[row + j] as number) - vi * (w[j] as number) - wi * (v[j] as number);
  }
}

/** The transpose of the product of all reflectors: row i becomes eigenvector i. */
function accumulate(reflectors: Reflector[], n: number): Float64Array {
  const rows = new Float64Array(n * n);
  for (let i = 0; i < n; i++) rows[i * n + i] = 1;
  for (const { first, vector, factor } of reflectors.toReversed()) {
    for (let i = first; i < n; i++) {
      const row = i * n + first;
      let sum = 0;
      for (let j = 0; j < vector.length; j++) sum += (rows[row + j] as number) * (vector[j] as number);
      sum *= factor;
      for (let j = 0; j < vector.length; j++) rows[row + j] = (rows[row + j] as number) - sum * (vector[j] as number);
    }
  }
  return rows;
}

/** No matrix has needed more than a few; it only ends a loop over NaN. */
const maxSweeps = 60;

function diagonalise(d: Float64Array, e: Float64Array, rows: Float64Array, n: number): void {
  for (let low = 0; low < n; low++) {
    for (let sweep = 0; sweep < maxSweeps; sweep++) {
      let high = low;
      while (high < n - 1) {
        const scale = Math.abs(d[high] as number) + Math.abs(d[high + 1] as number);
        if (Math.abs(e[high] as number) <= Number.EPSILON * scale) break;
        high++;
      }
      if (high === low) break;
      qlStep(d, e, rows, n, low, high);
    }
  }
}

function qlStep(d: Float64Array, e: Float64Array, rows: Float64Array, n: number, low: number, high: number): void {
  const half = ((d[low + 1] as number) - (d[low] as number)) / (2 * (e[low] as number));
  const root = Math.hypot(half, 1);
  let bulge = (d[high] as number) - (d[low] as number) + (e[low] as number) / (half + (half < 0 ? -root : root));
  let sine = 1;
  let cosine = 1;
  let shift = 0;
  for (let i = high - 1; i >= low; i--) {
    const far = sine * (e[i] as number);
    const near = cosine * (e[i] as number);
    const length = Math.hypot(far, bulge);
    e[i + 1] = length;
    if (length === 0) {
      d[i + 1] = (d[i + 1] as number) - shift;
      e[high] = 0;
      return;
    }
    sine = far / length;
    cosine = bulge / length;
    const base = (d[i + 1] as number) - shift;
    const turn = ((d[i] as number) - base) * sine + 2 * cosine * near;
    shift = sine * turn;
    d[i + 1] = base + shift;
    bulge = cosine * turn - near;
    const upper = i * n;
    const lower = upper + n;
    for (let k = 0; k < n; k++) {
      const x = rows[upper + k] as number;
      const y = rows[lower + k] as number;
      rows[lower + k] = sine * x + cosine * y;
      rows[upper + k] = cosine * x - sine * y;
    }
  }
  d[low] = (d[low] as number) - shift;
  e[low] = bulge;
  e[high] = 0;
}
