import { describe, expect, it } from 'vitest';
import { gaussianBlur } from './blur.ts';

function trueGaussian(line: Float32Array, sigma: number): number[] {
  const radius = Math.ceil(sigma * 5);
  return Array.from(line, (_, at) => {
    let [sum, total] = [0, 0];
    for (let offset = -radius; offset <= radius; offset++) {
      const weight = Math.exp(-(offset * offset) / (2 * sigma * sigma));
      const from = Math.min(line.length - 1, Math.max(0, at + offset));
      sum += weight * (line[from] as number);
      total += weight;
    }
    return sum / total;
  });
}

describe('gaussianBlur', () => {
  for (const sigma of [0.5, 1, 3.7, 20, 150]) {
    it(`follows a Gaussian of sigma ${sigma} within 3 % of an edge`, () => {
      const edge = new Float32Array(400).map((_, i) => (i < 200 ? 0 : 1));
      const expected = trueGaussian(edge, sigma);
      const blurred = gaussianBlur(Float32Array.from(edge), 400, 1, sigma);
      blurred.forEach((value, i) => {
        expect(Math.abs(value - (expected[i] as number))).toBeLessThan(0.03);
      });
    });
  }

  it('blurs both ways alike, channel by channel, and keeps the sum', () => {
    const picture = new Float32Array(41 * 41 * 2);
    const centre = (20 * 41 + 20) * 2;
    picture[centre] = 1;
    gaussianBlur(picture, 41, 41, 3, 2);
    const at = (x: number, y: number) => picture[(y * 41 + x) * 2] as number;
    expect(at(25, 20)).toBeCloseTo(at(20, 25), 6);
    expect(at(15, 20)).toBeCloseTo(at(25, 20), 6);
    expect(picture.filter((_, i) => i % 2 === 0).reduce((a, b) => a + b)).toBeCloseTo(1, 4);
    expect(picture.filter((_, i) => i % 2 === 1).every((value) => value === 0)).toBe(true);
  });

  it('does nothing at sigma 0', () => {
    const samples = Float32Array.of(0, 1, 0, 1);
    expect(Array.from(gaussianBlur(samples, 2, 2, 0))).toEqual([0, 1, 0, 1]);
  });
});
