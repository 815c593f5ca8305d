import { expect, it } from 'vitest';
import { weightProducts } from './weight-products.ts';

/** weight [2, 3], down [1, 3] and up [2, 1]. */
const weight = Float32Array.of(1, 2, 3, 4, 5, 6);

it('multiplies a weight by factors from either side', async () => {
  const products = weightProducts();
  expect([...((await products.withRows(weight, Float32Array.of(1, 10, 100), 1)) as Float32Array)]).toEqual([321, 654]);
  expect([...((await products.withRows(weight, Float32Array.of(1, 0, 0, 0, 0, 1), 2)) as Float32Array)]).toEqual([
    1, 3, 4, 6,
  ]);
  expect([...((await products.withColumns(weight, Float32Array.of(1, 10), 1)) as Float32Array)]).toEqual([41, 52, 63]);
  expect([...((await products.withColumns(weight, Float32Array.of(1, 2, 0, 1), 2)) as Float32Array)]).toEqual([
    1, 6, 2, 9, 3, 12,
  ]);
});
