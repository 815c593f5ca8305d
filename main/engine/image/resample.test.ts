import { describe, expect, it } from 'vitest';
import { resampleLanczos } from './resample.ts';
import reference from './testdata/pillow-lanczos.json' with { type: 'json' };

const size = { width: 13, height: 11 };

function samples(channels: number): Uint8Array {
  return Uint8Array.from({ length: size.width * size.height * channels }, (_, i) => (i * 73 + i * i * 7) % 256);
}

describe('resampleLanczos', () => {
  for (const { channels, width, height, pixels } of reference.cases) {
    it(`equals Pillow to the bit: 13x11 with ${channels} channels to ${width}x${height}`, () => {
      const resized = resampleLanczos(samples(channels), { ...size, channels }, width, height);
      expect(Buffer.from(resized).equals(Buffer.from(pixels, 'base64'))).toBe(true);
    });
  }

  it('leaves samples of the wanted size as they are', () => {
    const source = samples(3);
    expect(resampleLanczos(source, { ...size, channels: 3 }, 13, 11)).toBe(source);
  });

  it('keeps an even colour, in every kind of sample', () => {
    for (const source of [
      new Uint8Array(143).fill(201),
      new Uint16Array(143).fill(51234),
      new Float32Array(143).fill(0.3),
    ]) {
      const resized = resampleLanczos(source, { ...size, channels: 1 }, 31, 5);
      expect(resized.constructor).toBe(source.constructor);
      for (const value of resized) expect(value).toBeCloseTo(source[0] as number, 6);
    }
  });

  it('agrees between 8-bit, 16-bit and float samples', () => {
    const bytes = samples(3);
    const to = [29, 7] as const;
    const eight = resampleLanczos(bytes, { ...size, channels: 3 }, ...to);
    const sixteen = resampleLanczos(
      Uint16Array.from(bytes, (v) => v * 257),
      { ...size, channels: 3 },
      ...to,
    );
    const float = resampleLanczos(
      Float32Array.from(bytes, (v) => v / 255),
      { ...size, channels: 3 },
      ...to,
    );
    eight.forEach((value, i) => {
      expect(Math.abs((sixteen[i] as number) / 257 - value)).toBeLessThan(1.6);
      const clamped = Math.min(1, Math.max(0, float[i] as number));
      expect(Math.abs(clamped * 255 - value)).toBeLessThan(25);
    });
  });
});
