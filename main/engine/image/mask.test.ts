import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadMask, maskToLatent } from './mask.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'impasto-mask-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function save(
  name: string,
  width: number,
  height: number,
  channels: 1 | 3 | 4,
  pixel: (x: number, y: number) => number[],
) {
  const bytes = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) bytes.set(pixel(x, y), (y * width + x) * channels);
  }
  const path = join(folder, name);
  await sharp(bytes, { raw: { width, height, channels } }).png().toFile(path);
  return path;
}

const leftHalf = (x: number) => [x < 8 ? 255 : 0];

describe('loadMask', () => {
  it('takes white as drawn, black as kept, grey as mixed, and inverts', async () => {
    const path = await save('grey.png', 4, 2, 1, (x) => [[0, 51, 204, 255][x] as number]);
    const { mask, warnings } = await loadMask(path, { width: 4, height: 2 });
    expect(Array.from(mask.subarray(0, 4))).toEqual([0, 51 / 255, 204 / 255, 1].map(Math.fround));
    expect(warnings).toEqual([]);
    const inverted = await loadMask(path, { width: 4, height: 2, invert: true });
    expect(Array.from(inverted.mask.subarray(0, 4))).toEqual([1, 204 / 255, 51 / 255, 0].map(Math.fround));
  });

  it('weighs colours as Pillow does', async () => {
    const path = await save('colour.png', 3, 1, 3, (x) => [x === 0 ? 255 : 0, x === 1 ? 255 : 0, x === 2 ? 255 : 0]);
    const { mask } = await loadMask(path, { width: 3, height: 1 });
    expect(Array.from(mask, (value) => Math.round(value * 255))).toEqual([76, 150, 29]);
  });

  it('takes opacity as the mask where there is only one colour, otherwise transparency as black', async () => {
    const stroke = await save('stroke.png', 4, 1, 4, (x) => [0, 0, 0, [0, 85, 170, 255][x] as number]);
    expect(Array.from((await loadMask(stroke, { width: 4, height: 1 })).mask)).toEqual(
      [0, 1 / 3, 2 / 3, 1].map(Math.fround),
    );
    const picture = await save('picture.png', 4, 1, 4, (x) => [
      x < 2 ? 255 : 0,
      x < 2 ? 255 : 0,
      x < 2 ? 255 : 0,
      x % 2 ? 255 : 0,
    ]);
    expect(Array.from((await loadMask(picture, { width: 4, height: 1 })).mask)).toEqual([0, 1, 0, 0]);
  });

  it('feathers with its sigma in pixels, on both sides of the edge', async () => {
    const path = await save('edge.png', 64, 8, 1, (x) => [x < 32 ? 255 : 0]);
    const { mask } = await loadMask(path, { width: 64, height: 8, feather: 4 });
    const row = mask.subarray(0, 64);
    expect(row[0]).toBeCloseTo(1, 3);
    expect(row[63]).toBeCloseTo(0, 3);
    expect(((row[31] as number) + (row[32] as number)) / 2).toBeCloseTo(0.5, 3);
    // One sigma inside the edge a Gaussian step is at 84 %.
    expect(((row[27] as number) + (row[28] as number)) / 2).toBeCloseTo(0.841, 1);
    expect(Array.from(row).every((value, i) => i === 0 || value <= (row[i - 1] as number) + 1e-6)).toBe(true);
  });

  it('accepts the size of the picture or the drawn size, and scales to the drawn size', async () => {
    const path = await save('half.png', 16, 8, 1, leftHalf);
    for (const picture of [
      { width: 16, height: 8 },
      { width: 999, height: 333 },
    ]) {
      const same = await loadMask(path, { width: 16, height: 8, picture });
      expect(same.warnings).toEqual([]);
    }
    const scaled = await loadMask(path, { width: 32, height: 32, picture: { width: 16, height: 8 } });
    expect(scaled.warnings).toEqual([]);
    expect(scaled.mask).toHaveLength(1024);
    expect([scaled.mask[0], scaled.mask[31]]).toEqual([1, 0]);
    expect(scaled.mask.every((value) => value >= 0 && value <= 1)).toBe(true);
  });

  it('scales a mask of the same proportions with a warning that names both sizes', async () => {
    const path = await save('small.png', 16, 8, 1, leftHalf);
    const { mask, warnings } = await loadMask(path, { width: 64, height: 32, picture: { width: 64, height: 32 } });
    expect(warnings).toEqual([{ code: 'MASK_RESIZED', message: expect.stringMatching(/16x8.*64x32/) }]);
    expect(mask).toHaveLength(64 * 32);
  });

  it('refuses other proportions, naming both sizes', async () => {
    const path = await save('odd.png', 16, 8, 1, leftHalf);
    await expect(loadMask(path, { width: 64, height: 64 })).rejects.toMatchObject({
      code: 'MASK_INVALID',
      message: expect.stringMatching(/16x8.*64x64/),
    });
  });

  it('refuses a mask that leaves nothing to draw', async () => {
    const black = await save('black.png', 8, 8, 1, () => [0]);
    const white = await save('white.png', 8, 8, 1, () => [255]);
    const size = { width: 8, height: 8 };
    await expect(loadMask(black, size)).rejects.toMatchObject({ code: 'MASK_INVALID', message: /nothing to draw/ });
    await expect(loadMask(white, { ...size, invert: true })).rejects.toMatchObject({ code: 'MASK_INVALID' });
    expect((await loadMask(white, size)).mask.every((value) => value === 1)).toBe(true);
  });

  it('reads a 16-bit mask at its own depth', async () => {
    const path = join(folder, 'deep.png');
    const values = Uint16Array.of(0, 1000, 40000, 65535);
    await sharp(values, { raw: { width: 4, height: 1, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toFile(path);
    const { mask } = await loadMask(path, { width: 4, height: 1 });
    values.forEach((value, i) => {
      expect(mask[i]).toBeCloseTo(value / 65535, 6);
    });
  });
});

describe('maskToLatent', () => {
  it('takes the top left pixel of each cell', () => {
    const mask = new Float32Array(32 * 16);
    mask[8 * 16 + 8] = 0.25; // top left of the cell in row 1, column 1
    mask[9 * 16 + 9] = 1; // another pixel of that cell
    const latent = maskToLatent(mask, 32, 16, 8);
    expect(latent).toHaveLength(8);
    expect(Array.from(latent)).toEqual([0, 0, 0, 0.25, 0, 0, 0, 0]);
  });

  it('refuses sizes that do not divide', () => {
    expect(() => maskToLatent(new Float32Array(20 * 16), 20, 16, 8)).toThrow(
      expect.objectContaining({ code: 'MASK_INVALID' }),
    );
    expect(() => maskToLatent(new Float32Array(5), 8, 8, 8)).toThrow(expect.objectContaining({ code: 'MASK_INVALID' }));
  });
});
