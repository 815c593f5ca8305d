import { expect, it } from 'vitest';
import { recolouredStart } from './recoloured-start.ts';

const cells = 40;
const inside = Uint8Array.from({ length: cells }, (_, cell) => (cell < 20 ? 1 : 0));
/** Two channels, one bright, one dim and rough. */
const latent = Float32Array.from({ length: 2 * cells }, (_, at) =>
  at < cells ? 3 + Math.sin(at) : -1 + 4 * Math.cos(at),
);

function statistics(values: readonly number[]) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, deviation: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) };
}

const regionOf = (values: Float32Array, channel: number) => [...values.subarray(channel * cells, channel * cells + 20)];

it('gives each channel of a region the mean and deviation of plain noise, and leaves the rest', () => {
  const start = recolouredStart(latent, [inside], 1);
  for (const channel of [0, 1]) {
    const { mean, deviation } = statistics(regionOf(start, channel));
    expect(mean).toBeCloseTo(0, 5);
    expect(deviation).toBeCloseTo(1, 5);
    const outside = (values: Float32Array) => values.subarray(channel * cells + 20, (channel + 1) * cells);
    expect(outside(start)).toEqual(outside(latent));
  }
});

it('keeps what lies where: the order of a channel stays', () => {
  const order = (values: readonly number[]) =>
    [...values.keys()].sort((a, b) => (values[a] as number) - (values[b] as number));
  expect(order(regionOf(recolouredStart(latent, [inside], 1), 0))).toEqual(order(regionOf(latent, 0)));
});

it('goes as far as it is asked to', () => {
  expect(recolouredStart(latent, [inside], 0)).toBe(latent);
  expect(statistics(regionOf(recolouredStart(latent, [inside], 0.5), 0)).mean).toBeCloseTo(
    statistics(regionOf(latent, 0)).mean / 2,
    4,
  );
});

it('takes the measure of a region without what another lies over, and leaves one too small to have one', () => {
  const over = Uint8Array.from({ length: cells }, (_, cell) => (cell < 10 ? 1 : 0));
  const start = recolouredStart(latent, [inside, over], 1);
  // Ten cells each: neither has enough.
  expect(start).toEqual(latent);
});
