import { expect, it } from 'vitest';
import { byteSize } from './byte-size.ts';

it.each([
  [0, '0 kB'],
  [1, '1 kB'],
  [471_424, '471 kB'],
  [999_600, '1 MB'],
  [12_345_678, '12.3 MB'],
  [50e6, '50 MB'],
  [999_960_000, '1 GB'],
  [2 ** 30, '1.1 GB'],
  [3.44e9, '3.4 GB'],
  [1.25e12, '1.3 TB'],
  [5e15, '5000 TB'],
])('%d bytes read as %s', (bytes, text) => {
  expect(byteSize(bytes)).toBe(text);
});
