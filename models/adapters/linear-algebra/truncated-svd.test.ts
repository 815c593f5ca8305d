import { describe, expect, it } from 'vitest';
import { addProduct, squaredNorm, times, timesTransposed, transposed } from './products.ts';
import { symmetricEigen } from './symmetric-eigen.ts';
import { type Svd, truncatedSvd } from './truncated-svd.ts';

/** Uniform in [-1, 1), the same at every run. */
function numbers(length: number, seed = 1): Float64Array {
  let state = seed;
  return Float64Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

/** The plainest way: one sum for each number. */
function product(x: Float64Array, a: Float64Array, rows: number, columns: number, inner: number): number[] {
  return Array.from({ length: rows * columns }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      sum += (x[Math.floor(at / columns) * inner + k] as number) * (a[k * columns + (at % columns)] as number);
    }
    return sum;
  });
}

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] as number))), 0);

function rebuilt({ left, values, right, rank }: Svd, rows: number, columns: number): number[] {
  const scaled = left.map((x, i) => x * (values[Math.floor(i / rows)] as number));
  return product(transposed(scaled, rank, rows), right, rows, columns, rank);
}

describe('products', () => {
  // Sizes off the tiles' and beyond the chunk's.
  it.each([
    [1, 1, 1],
    [3, 5, 7],
    [4, 8, 4],
    [5, 3, 1030],
    [3, 1030, 5],
  ])('%i by %i over %i', (rows, columns, inner) => {
    const x = numbers(rows * inner);
    const a = numbers(inner * columns, 2);
    const expected = product(x, a, rows, columns, inner);
    expect(farthest(times(x, a, rows, columns, inner), expected)).toBeLessThan(1e-12);
    expect(farthest(timesTransposed(x, transposed(a, inner, columns), rows, columns, inner), expected)).toBeLessThan(
      1e-12,
    );
    const added = addProduct(new Float64Array(rows * columns).fill(1), x, a, rows, columns, inner, -2);
    expect(
      farthest(
        added,
        expected.map((v) => 1 - 2 * v),
      ),
    ).toBeLessThan(1e-12);
  });
});

describe('symmetricEigen', () => {
  it.each([1, 2, 3, 10, 57])('of %i by itself: A v = value v, vectors orthonormal, values falling', (n) => {
    const half = numbers(n * n);
    const matrix = half.map((x, i) => x + (half[(i % n) * n + Math.floor(i / n)] as number));
    const { values, vectors } = symmetricEigen(matrix.slice(), n);
    const images = timesTransposed(vectors, matrix, n, n, n);
    expect(
      farthest(
        images,
        vectors.map((v, i) => v * (values[Math.floor(i / n)] as number)),
      ),
    ).toBeLessThan(1e-12 * n);
    const identity = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
    expect(farthest(timesTransposed(vectors, vectors, n, n, n), identity)).toBeLessThan(1e-12);
    expect([...values]).toEqual([...values].sort((a, b) => b - a));
  });

  it('keeps multiple eigenvalues and zeros', () => {
    const { values } = symmetricEigen(Float64Array.of(2, 0, 0, 0, 2, 0, 0, 0, 0), 3);
    expect([...values]).toEqual([2, 2, 0]);
  });
});

/** [rows, columns] with the given singular values and random vectors. */
function withSpectrum(rows: number, columns: number, spectrum: readonly number[]): Float64Array {
  const rank = spectrum.length;
  const basis = (size: number, seed: number): Float64Array => {
    const gram = timesTransposed(numbers(size * size, seed), numbers(size * size, seed), size, size, size);
    return symmetricEigen(gram, size).vectors.slice(0, rank * size);
  };
  const left = basis(rows, 3).map((x, i) => x * (spectrum[Math.floor(i / rows)] as number));
  return times(transposed(left, rank, rows), basis(columns, 5), rows, columns, rank);
}

describe('truncatedSvd', () => {
  it.each([
    [6, 4],
    [4, 6],
    [30, 70],
  ])('finds the singular values of %i by %i', (rows, columns) => {
    const spectrum = [5, 2, 1, 0.1];
    const svd = truncatedSvd(withSpectrum(rows, columns, spectrum), rows, columns, 1);
    expect(svd && farthest(svd.values.slice(0, 4), spectrum)).toBeLessThan(1e-9);
  });

  it('keeps the fewest ranks that hold the energy, and says how much they hold', () => {
    const a = withSpectrum(8, 8, [3, 2, 1]);
    const svd = truncatedSvd(a, 8, 8, 0.9) as Svd;
    expect(svd.rank).toBe(2);
    expect(svd.energy).toBeCloseTo(13 / 14, 10);
    const rest = rebuilt(svd, 8, 8).map((x, i) => x - (a[i] as number));
    expect(squaredNorm(Float64Array.from(rest)) / squaredNorm(a)).toBeCloseTo(1 / 14, 10);
  });

  it('has rank 0 for zeros', () => {
    expect(truncatedSvd(new Float64Array(12), 3, 4, 0.999)).toMatchObject({ rank: 0, energy: 1 });
  });

  it('above the exact size: reaches the energy with few more ranks than the least', () => {
    const spectrum = Array.from({ length: 120 }, (_, i) => Math.exp(-i / 12));
    const a = withSpectrum(300, 320, spectrum);
    const total = spectrum.reduce((sum, s) => sum + s * s, 0);
    let least = 0;
    for (let held = 0; held < 0.999 * total; least++) held += (spectrum[least] as number) ** 2;
    const svd = truncatedSvd(a, 300, 320, 0.999) as Svd;
    expect(svd.rank).toBeGreaterThanOrEqual(least);
    expect(svd.rank).toBeLessThanOrEqual(least + 2);
    const rest = rebuilt(svd, 300, 320).map((x, i) => x - (a[i] as number));
    const lost = squaredNorm(Float64Array.from(rest)) / squaredNorm(a);
    expect(lost).toBeLessThanOrEqual(0.001 + 1e-9);
    expect(1 - svd.energy).toBeCloseTo(lost, 9);
  });

  it('above the exact size: ends at the true rank', () => {
    const svd = truncatedSvd(withSpectrum(270, 280, [2, 1, 0.5]), 270, 280, 1) as Svd;
    expect(svd.rank).toBe(3);
  });

  it('gives up a flat spectrum, unless told to go on', () => {
    const a = numbers(280 * 300);
    expect(truncatedSvd(a, 280, 300, 0.999)).toBeNull();
    expect(truncatedSvd(a, 280, 300, 0.9, { atAnyRank: true })?.energy).toBeGreaterThanOrEqual(0.9);
  });

  it('is the same at every call', () => {
    const a = withSpectrum(270, 280, [3, 2, 1]);
    expect(truncatedSvd(a, 270, 280, 0.99)).toEqual(truncatedSvd(a, 270, 280, 0.99));
  });
});
