import { expect, it } from 'vitest';
import { cutRank, keptBy, rankHolding } from './spectrum.ts';

const layers = [
  { module: 'a', values: [3, 4 / 5, 0.1] },
  { module: 'b', values: [1, 1] },
  { module: 'zeros', values: [] },
];

it('tells what a rank keeps, over all layers and in the one that loses most', () => {
  const { kept, worst, highestRank } = keptBy(layers, { rank: 1 });
  expect(kept).toBeCloseTo(10 / (9 + 0.64 + 0.01 + 2), 12);
  expect(worst).toEqual({ module: 'b', kept: 0.5 });
  expect(highestRank).toBe(1);
});

it('takes the smallest rank that holds a share of each layer', () => {
  expect(rankHolding([3, 0.8, 0.1], 0.9)).toBe(1);
  expect(rankHolding([1, 1], 0.51)).toBe(2);
  expect(keptBy(layers, { energy: 0.9 }).highestRank).toBe(2);
  expect(keptBy(layers, { energy: 1 }).kept).toBe(1);
});

it('leaves a rank of one to what has none, and cuts no further than there is', () => {
  expect(cutRank([], { energy: 0.5 })).toBe(1);
  expect(cutRank([2, 1], { rank: 99 })).toBe(2);
  expect(keptBy([], { rank: 4 })).toEqual({ kept: 1, worst: null, highestRank: 0 });
});
