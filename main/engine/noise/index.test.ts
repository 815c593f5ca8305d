import { expect, test } from 'vitest';
import { createNoiseGenerator } from './index.ts';

test.each([-1, 0.5, 2 ** 53, Number.NaN])('refuses the seed %d', (seed) => {
  expect(() => createNoiseGenerator('cpu', seed)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
});

test('cpu and cuda are different streams, each repeatable', () => {
  expect(createNoiseGenerator('cpu', 1).randn(20)).toEqual(createNoiseGenerator('cpu', 1).randn(20));
  expect(createNoiseGenerator('cuda', 1).randn(20)).toEqual(createNoiseGenerator('cuda', 1).randn(20));
  expect(createNoiseGenerator('cpu', 1).randn(20)).not.toEqual(createNoiseGenerator('cuda', 1).randn(20));
});
