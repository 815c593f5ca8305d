import { expect, it } from 'vitest';
import { matchColours } from './match-colours.ts';
import { fromOklab, toOklab } from './oklab.ts';

const noisy = (base: readonly [number, number, number], spread: number, seed: number) => ({
  width: 16,
  height: 16,
  pixels: Float32Array.from({ length: 768 }, (_, at) => (base[at % 3] as number) + spread * Math.sin(seed + at * 1.7)),
});
const mean = (pixels: Float32Array, channel: number) =>
  pixels.filter((_, at) => at % 3 === channel).reduce((sum, value) => sum + value, 0) / (pixels.length / 3);

it('takes colours to OKLab and back', () => {
  for (const colour of [
    [0, 0, 0],
    [1, 1, 1],
    [0.2, 0.5, 0.9],
    [1, 0, 0],
  ] as const) {
    for (const [index, value] of fromOklab(...toOklab(colour[0], colour[1], colour[2])).entries()) {
      expect(value).toBeCloseTo(colour[index] as number, 4);
    }
  }
  expect(toOklab(1, 1, 1)[0]).toBeCloseTo(1, 5);
});

it("gives a picture another's colours, wholly or in part, and leaves it at 0", () => {
  const picture = noisy([0.3, 0.5, 0.6], 0.05, 1);
  const like = noisy([0.7, 0.4, 0.3], 0.1, 2);
  expect(matchColours(picture, like, 0).pixels).toEqual(picture.pixels);
  const whole = matchColours(picture, like, 1).pixels;
  for (const channel of [0, 1, 2]) expect(mean(whole, channel)).toBeCloseTo(mean(like.pixels, channel), 2);
  const half = mean(matchColours(picture, like, 0.5).pixels, 0);
  expect(half).toBeGreaterThan(0.4);
  expect(half).toBeLessThan(0.6);
});

it('takes a picture of one colour to the mean of another', () => {
  const flat = noisy([0.5, 0.5, 0.5], 0, 0);
  const matched = matchColours(flat, noisy([0.8, 0.2, 0.2], 0.05, 3), 1).pixels;
  expect(matched.every(Number.isFinite)).toBe(true);
  expect(mean(matched, 0)).toBeCloseTo(0.8, 1);
});
