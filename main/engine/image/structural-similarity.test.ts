import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Pixels } from './pixels.ts';
import { structuralSimilarity } from './structural-similarity.ts';

interface Case {
  width: number;
  height: number;
  change: keyof typeof changes;
  ssim: number;
}

const { cases } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'structural-similarity.reference.json'), 'utf8'),
) as { cases: Case[] };

const waves = (x: number, y: number, c: number) =>
  0.5 + 0.2 * Math.sin(x * (0.3 + 0.1 * c)) + 0.2 * Math.cos(y * 0.5 - c);

/** As make_structural_similarity.py has them. */
const changes = {
  none: waves,
  brighter: (x: number, y: number, c: number) => waves(x, y, c) + 0.1,
  flatter: (x: number, y: number, c: number) => 0.5 + 0.3 * (waves(x, y, c) - 0.5),
  noisy: (x: number, y: number, c: number, at: number) => waves(x, y, c) + 0.1 * Math.sin(at * 12.9898),
  inverted: (x: number, y: number, c: number) => 1 - waves(x, y, c),
  shifted: (x: number, y: number, c: number) =>
    0.5 + 0.2 * Math.sin((x + 2) * (0.3 + 0.1 * c)) + 0.2 * Math.cos(y * 0.5 - c),
  grey: () => 0.5,
  redder: (x: number, y: number, c: number) => waves(x, y, c) * (c === 0 ? 1 : 0.6),
};

function picture(width: number, height: number, change: keyof typeof changes): Pixels {
  const value = (at: number) => {
    const place = Math.floor(at / 3);
    return changes[change](place % width, Math.floor(place / width), at % 3, at);
  };
  return { width, height, pixels: Float32Array.from({ length: width * height * 3 }, (_, at) => value(at)) };
}

describe('structuralSimilarity', () => {
  it.each(cases)("is scikit-image's: $width x $height, $change", ({ width, height, change, ssim }) => {
    const found = structuralSimilarity(picture(width, height, 'none'), picture(width, height, change));
    expect(Math.abs(found - ssim)).toBeLessThan(1e-6);
    expect(structuralSimilarity(picture(width, height, change), picture(width, height, 'none'))).toBeCloseTo(found, 12);
  });

  it('refuses pictures of two sizes, and one smaller than its window', () => {
    const one = picture(16, 12, 'none');
    expect(() => structuralSimilarity(one, picture(12, 16, 'none'))).toThrow('16x12');
    const narrow = picture(10, 40, 'none');
    expect(() => structuralSimilarity(narrow, narrow)).toThrow('smaller than the window');
  });
});
