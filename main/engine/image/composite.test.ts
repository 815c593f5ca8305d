import { describe, expect, it } from 'vitest';
import { compositeInto } from './composite.ts';
import type { Pixels } from './pixels.ts';

function pixels(value: (i: number) => number): Pixels {
  return { width: 16, height: 16, pixels: Float32Array.from({ length: 768 }, (_, i) => value(i)) };
}

describe('compositeInto', () => {
  const original = pixels((i) => ((i * 37) % 256) / 255);
  const drawn = pixels((i) => ((i * 11) % 256) / 255);

  it('changes nothing outside the mask by a bit and everything inside', () => {
    const mask = new Float32Array(256).map((_, i) => (i % 16 < 8 ? 1 : 0));
    const { pixels: result } = compositeInto(drawn, original, mask);
    result.forEach((value, i) => {
      const from = Math.floor(i / 3) % 16 < 8 ? drawn : original;
      expect(value).toBe(from.pixels[i]);
    });
  });

  it('mixes where the mask is grey', () => {
    const { pixels: result } = compositeInto(drawn, original, new Float32Array(256).fill(0.25));
    result.forEach((value, i) => {
      expect(value).toBeCloseTo(0.25 * (drawn.pixels[i] as number) + 0.75 * (original.pixels[i] as number), 6);
    });
  });

  it('does not let a value that is not a number leak out of the mask', () => {
    const broken = pixels(() => Number.NaN);
    expect(compositeInto(broken, original, new Float32Array(256)).pixels).toEqual(original.pixels);
  });

  it('refuses other sizes', () => {
    const small = { width: 8, height: 8, pixels: new Float32Array(192) };
    const refusal = expect.objectContaining({ code: 'MASK_INVALID' });
    expect(() => compositeInto(drawn, small, new Float32Array(256))).toThrow(refusal);
    expect(() => compositeInto(drawn, original, new Float32Array(64))).toThrow(refusal);
  });
});
