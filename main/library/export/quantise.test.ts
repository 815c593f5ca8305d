import { describe, expect, it } from 'vitest';
import { quantise } from './quantise.ts';

describe('quantise', () => {
  it('rounds half up after clamping', () => {
    const halves = Float32Array.of(0.5 / 255, 1.5 / 255, 2.4999 / 255, 0, 1, -3, 9, Number.POSITIVE_INFINITY, 0.5);
    expect(Array.from(quantise(halves, 8))).toEqual([1, 2, 2, 0, 255, 0, 255, 255, 128]);
  });

  it('keeps every level of both depths', () => {
    const eight = Float32Array.from({ length: 256 }, (_, i) => i / 255);
    expect(Array.from(quantise(eight, 8))).toEqual(Array.from({ length: 256 }, (_, i) => i));
    const sixteen = Float32Array.from({ length: 65536 }, (_, i) => i / 65535);
    expect(quantise(sixteen, 16).every((value, i) => value === i)).toBe(true);
  });

  it('refuses what is not a number', () => {
    expect(() => quantise(Float32Array.of(0, Number.NaN), 8)).toThrow(expect.objectContaining({ code: 'NAN_LATENT' }));
  });
});
