import { expect, it } from 'vitest';
import { turnedSideways, turnToMiddle } from './centred-row.ts';

const mask = (columns: number[]) => ({
  data: Float32Array.from([...columns, ...columns]),
  height: 2,
  width: columns.length,
});

it('brings the middle of a mask to the middle of the picture', () => {
  expect(turnToMiddle(mask([1, 1, 0, 0, 0, 0, 0, 0]))).toBe(3);
  expect(turnToMiddle(mask([0, 0, 0, 0, 0, 0, 1, 1]))).toBe(-3);
  expect(turnToMiddle(mask([1, 1, 1, 1, 1, 1, 1, 1]))).toBe(0);
  // Half as much weighs half.
  expect(turnToMiddle(mask([1, 0, 0, 0, 0, 0, 0.5, 0]))).toBe(2);
  expect(turnToMiddle(mask([0, 0, 0, 0, 0, 0, 0, 0]))).toBe(0);
});

it('turns every line of every channel, and back', () => {
  const latent = Float32Array.from({ length: 2 * 2 * 4 }, (_, at) => at);
  const turned = turnedSideways(latent, 4, 1);
  expect([...turned.subarray(0, 8)]).toEqual([3, 0, 1, 2, 7, 4, 5, 6]);
  expect([...turned.subarray(12)]).toEqual([15, 12, 13, 14]);
  expect(turnedSideways(turned, 4, -1)).toEqual(latent);
  expect(turnedSideways(latent, 4, -3)).toEqual(turned);
  expect(turnedSideways(latent, 4, 8)).toBe(latent);
});
