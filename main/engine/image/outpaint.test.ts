import { describe, expect, it } from 'vitest';
import { applyOutpaint } from './outpaint.ts';
import type { Pixels } from './pixels.ts';

function noise(width: number, height: number): Pixels {
  return { width, height, pixels: Float32Array.from({ length: width * height * 3 }, (_, i) => ((i * 37) % 256) / 255) };
}
const none = { left: 0, top: 0, right: 0, bottom: 0 };

describe('applyOutpaint', () => {
  it('lays the picture unchanged on a larger canvas', () => {
    const picture = noise(32, 24);
    const out = applyOutpaint(picture, { left: 16, top: 8, right: 0, bottom: 8 });
    expect([out.width, out.height, out.left, out.top]).toEqual([48, 40, 16, 8]);
    for (let y = 0; y < 24; y++) {
      const row = out.pixels.subarray(((y + 8) * 48 + 16) * 3, ((y + 8) * 48 + 48) * 3);
      expect(row).toEqual(picture.pixels.subarray(y * 96, (y + 1) * 96));
    }
    expect(out.tensor).toHaveLength(3 * 48 * 40);
    expect(out.tensor[0]).toBeCloseTo(2 * (out.pixels[0] as number) - 1, 6);
  });

  it('masks the margins wholly and fades over the overlap, only at sides that grow', () => {
    const out = applyOutpaint(noise(64, 64), { ...none, left: 8 }, { overlap: 16 });
    const row = Array.from(out.mask.subarray(32 * 72, 33 * 72));
    expect(row.slice(0, 8)).toEqual(Array(8).fill(1));
    for (let x = 0; x < 16; x++) expect(row[8 + x]).toBeCloseTo(1 - (x + 0.5) / 16, 6);
    expect(row.slice(24)).toEqual(Array(48).fill(0));
    // The upper edge does not grow: no seam there.
    expect(out.mask[8 + 40]).toBe(0);
  });

  it('keeps what the picture’s own mask wants drawn', () => {
    const own = new Float32Array(64 * 64);
    own[40 * 64 + 50] = 0.7;
    const out = applyOutpaint(noise(64, 64), { ...none, left: 8 }, { mask: own, overlap: 8 });
    expect(out.mask[40 * 72 + 58]).toBeCloseTo(0.7, 6);
    expect(out.mask[40 * 72 + 57]).toBe(0);
  });

  it('starts the margin from the edge, or from grey', () => {
    const red: Pixels = {
      width: 16,
      height: 16,
      pixels: Float32Array.from({ length: 768 }, (_, i) => (i % 3 === 0 ? 1 : 0)),
    };
    const edge = applyOutpaint(red, { ...none, right: 16 });
    expect(edge.pixels[31 * 3]).toBeCloseTo(1, 5);
    expect(edge.pixels[31 * 3 + 1]).toBeCloseTo(0, 5);
    const grey = applyOutpaint(red, { ...none, right: 16 }, { fill: 'grey' });
    expect(Array.from(grey.pixels.subarray(31 * 3, 32 * 3))).toEqual([0.5, 0.5, 0.5]);
    const noisy = applyOutpaint(noise(64, 64), { ...none, bottom: 64 });
    expect(noisy.pixels.every((value) => value >= -1e-6 && value <= 1 + 1e-6)).toBe(true);
  });

  it('refuses margins of nothing, negative ones and sizes that 8 does not divide', () => {
    for (const margins of [none, { ...none, left: -8, right: 16 }, { ...none, left: 4 }]) {
      expect(() => applyOutpaint(noise(16, 16), margins)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
    }
    expect(() => applyOutpaint(noise(15, 16), { ...none, top: 8 })).toThrow(/15x16 into 15x24/);
  });
});
