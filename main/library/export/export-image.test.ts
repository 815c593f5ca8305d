import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RenderedImage, RenderSummary } from '../../../contract/engine.ts';
import { type ExportOptionsInput, exportFormats } from '../../../contract/export.ts';
import { RenderRequest, type RenderRequestInput } from '../../../contract/request.ts';
import { compositeInto } from '../../engine/image/composite.ts';
import { decodePicture } from '../../engine/image/decode.ts';
import { loadImage } from '../../engine/image/load-image.ts';
import { readMetadata, requestFromPicture } from '../metadata/read-metadata.ts';
import { exportImage } from './export-image.ts';

let root = '';
let count = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'impasto-export-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
const newFolder = () => join(root, String(count++));

const [width, height] = [48, 40];
/** A gradient that goes a little past [0, 1] at both ends. */
const pixels = Float32Array.from({ length: width * height * 3 }, (_, i) => {
  const [x, y, channel] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
  return [x / 45 - 0.02, y / 38, (x + y) / 90][channel] as number;
});
const image: RenderedImage = { seed: 43, width, height, pixels, latent: new Float32Array(120), latentShape: [4, 6, 5] };

function summary(request: RenderRequestInput = {}): RenderSummary {
  return {
    request: RenderRequest.parse({
      prompt: 'a red star, on blue 星 <lora:ink:0.8>',
      negativePrompt: 'blurry & "dull"',
      seed: 42,
      batch: 3,
      width,
      height,
      provider: 'cpu',
      ...request,
    }),
    provider: { provider: 'cpu', reason: 'test' },
    unetRows: 40,
    sessionsBuilt: 3,
    warnings: [],
    timings: {},
    modelHash: '0123456789',
    modelName: 'star-1.5.safetensors',
  };
}

const level = (value: number, top: number) => Math.floor(Math.min(1, Math.max(0, value)) * top + 0.5);
const variants: Omit<ExportOptionsInput, 'folder'>[] = [
  { format: 'png' },
  { format: 'png', bitDepth: 16 },
  { format: 'tiff' },
  { format: 'tiff', bitDepth: 16 },
  { format: 'webp', lossless: true },
  { format: 'avif', lossless: true },
  { format: 'webp' },
  { format: 'avif' },
  { format: 'jpeg' },
];

describe('exportImage', () => {
  for (const options of variants) {
    const { format, bitDepth = 8, lossless = format === 'png' || format === 'tiff' } = options;
    it(`writes ${format}, ${bitDepth} bit, ${lossless ? 'lossless' : 'lossy'}, that can be drawn again`, async () => {
      const { path, bytes, warnings } = await exportImage(image, summary(), { ...options, folder: newFolder() });
      expect(warnings).toEqual([]);
      expect(readFileSync(path)).toHaveLength(bytes);

      const { data, width: w, height: h } = await decodePicture(path);
      expect([w, h]).toEqual([width, height]);
      const top = bitDepth === 16 ? 65535 : 255;
      if (lossless) {
        expect(data.every((value, i) => value === level(pixels[i] as number, top))).toBe(true);
      } else {
        const errors = Array.from(data, (value, i) => Math.abs(value - level(pixels[i] as number, 255)));
        expect(errors.reduce((a, b) => a + b) / errors.length).toBeLessThan(4);
      }

      const header = await sharp(path).metadata();
      expect(header.depth).toBe(bitDepth === 16 ? 'ushort' : 'uchar');
      expect(header.icc?.includes(Buffer.from('sRGB', 'utf16le').swap16())).toBe(true);

      const metadata = await readMetadata(path);
      expect(metadata.warnings).toEqual([]);
      expect(metadata.source).toBe('impasto');
      expect(metadata.request).toEqual({ ...summary().request, seed: 43, batch: 1 });
      expect(metadata.infotext).toMatch(
        /^a red star, on blue 星 <lora:ink:0\.8>\nNegative prompt: blurry & "dull"\nSteps: 20, /,
      );
      expect(metadata.model).toEqual({ name: 'star-1.5', hash: '0123456789' });
      expect(await requestFromPicture(path)).toEqual(metadata.request);
    });
  }

  it('writes nothing about the picture where it is told not to', async () => {
    for (const format of exportFormats) {
      const { path } = await exportImage(image, summary(), { format, folder: newFolder(), name: 'x', metadata: false });
      const file = readFileSync(path);
      for (const secret of ['red star', 'blurry', Buffer.from('red star', 'utf16le').swap16()]) {
        expect(file.includes(secret), format).toBe(false);
      }
      expect((await sharp(path).metadata()).icc, format).toBeDefined();
      await expect(requestFromPicture(path)).rejects.toMatchObject({ code: 'NO_METADATA' });
    }
  });

  it('says what does not fit into a format’s metadata, and never leaves it out silently', async () => {
    const long = summary({ prompt: '星, '.repeat(6600), negativePrompt: '猫, '.repeat(6600) });
    for (const format of exportFormats) {
      const { path, warnings } = await exportImage(image, long, { format, folder: newFolder(), name: 'x' });
      const metadata = await readMetadata(path);
      const whole = format === 'png' || format === 'tiff';
      expect(metadata.infotext === undefined, format).toBe(!whole);
      expect(metadata.request?.prompt === long.request.prompt, format).toBe(format !== 'jpeg');
      expect(
        warnings.map(({ code }) => code),
        format,
      ).toEqual(Array(whole ? 0 : format === 'jpeg' ? 2 : 1).fill('METADATA_TOO_LONG'));
    }
  });

  it('keeps a text that just fits, in every format', async () => {
    const write = async (format: ExportOptionsInput['format'], prompt: string, negativePrompt: string) => {
      const options = { format, folder: newFolder(), name: 'x' };
      const { path, warnings } = await exportImage(image, summary({ prompt, negativePrompt }), options);
      return { length: (await readMetadata(path)).infotext?.length, codes: warnings.map(({ code }) => code) };
    };
    const rest = ((await write('png', 'x', 'y')).length ?? 0) - 2;
    const fits = (65_000 - 8) / 2;
    for (const format of ['jpeg', 'webp', 'avif'] as const) {
      // Two prompts together: one alone may not be as long.
      const prompt = 'x'.repeat(16_000);
      const negative = 'y'.repeat(fits - rest - 16_000);
      expect(await write(format, prompt, negative), format).toEqual({ length: fits, codes: [] });
      const longer = await write(format, prompt, `${negative}y`);
      expect(longer, format).toEqual({ length: undefined, codes: ['METADATA_TOO_LONG'] });
    }
  });

  it('resizes by Lanczos and keeps the proportions where one side is given', async () => {
    const at = async (resize: { width?: number; height?: number }) => {
      const { path } = await exportImage(image, summary(), { resize, folder: newFolder() });
      const { width: w, height: h } = await decodePicture(path);
      return `${w}x${h}`;
    };
    expect(await at({ width: 96 })).toBe('96x80');
    expect(await at({ height: 20 })).toBe('24x20');
    expect(await at({ width: 10, height: 30 })).toBe('10x30');
    const { path } = await exportImage(image, summary(), { resize: { width: 24 }, folder: newFolder() });
    expect((await requestFromPicture(path)).width).toBe(width);
  });

  it('names files by the template and keeps them in the folder', async () => {
    const now = new Date(2026, 10, 3, 4, 5, 6);
    const named = async (name: string, request: RenderRequestInput = {}) => {
      const folder = newFolder();
      const { path } = await exportImage(image, summary(request), { name, folder }, { now });
      return relative(folder, path);
    };
    expect(await named('{date}-{seed}-{prompt}')).toBe('2026-11-03-43-a-red-star-on-blue-星.png');
    expect(await named('{date}/{time} {model} {width}x{height}')).toBe('2026-11-03/04-05-06 star-1.5 48x40.png');
    expect(await named('{sampler}_{steps}_{guidance}')).toBe('ddim_20_7.5.png');
    expect(await named('{prompt}-{seed}', { prompt: 'long '.repeat(4000) })).toMatch(
      /^(long-){10,20}(l|lo|lon|long)?-?43\.png$/,
    );
    expect(await named('{prompt}', { prompt: '../../../etc/passwd\0 CON' })).toBe('etc-passwd-CON.png');
    expect(await named('{prompt}', { prompt: 'con' })).toBe('_con.png');
    expect(await named('{prompt}', { prompt: '…' })).toBe('picture.png');
  });

  it('refuses names that leave the folder or hold unknown tokens, and depths a format has not', async () => {
    for (const options of [
      { name: '../x' },
      { name: 'a/../../x' },
      { name: '..\\x' },
      { name: '/etc/x' },
      { name: 'C:\\x' },
      { name: '{nothing}' },
      { format: 'jpeg', bitDepth: 16 },
      { format: 'jpeg', lossless: true },
      { resize: {} },
      { quality: 0 },
    ] as Partial<ExportOptionsInput>[]) {
      const folder = newFolder();
      await expect(
        exportImage(image, summary(), { ...options, folder }),
        JSON.stringify(options),
      ).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
      });
    }
  });

  it('numbers pictures of one name and never overwrites unless told', async () => {
    const folder = newFolder();
    const options = { folder, name: 'same' };
    for (let i = 0; i < 3; i++) await exportImage(image, summary(), options);
    expect(readdirSync(folder).sort()).toEqual(['same-2.png', 'same-3.png', 'same.png']);
    await exportImage(image, summary(), { ...options, overwrite: true });
    expect(readdirSync(folder)).toHaveLength(3);
  });

  it('writes nothing of a picture that holds no numbers, or onto a full disk', async () => {
    const folder = newFolder();
    const broken = { ...image, pixels: new Float32Array(pixels.length).fill(Number.NaN) };
    await expect(exportImage(broken, summary(), { folder })).rejects.toMatchObject({ code: 'NAN_LATENT' });
    const openTemp: typeof open = async (...args) => {
      const file = await open(...args);
      await file.close();
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    };
    await expect(exportImage(image, summary(), { folder }, { openTemp })).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves what lies outside a mask bit for bit as it was in the file', async () => {
    const folder = newFolder();
    const { path } = await exportImage(image, summary(), { folder, name: 'original' });
    const original = await loadImage(path, { width, height });
    const mask = new Float32Array(width * height).map((_, i) => [0, 0.5, 1][i % 3] as number);
    const drawn = { width, height, pixels: new Float32Array(pixels.length).fill(0.3) };
    const mixed = { ...image, ...compositeInto(drawn, original, mask) };
    const second = await exportImage(mixed, summary(), { folder, name: 'mixed' });
    const [before, after] = [(await decodePicture(path)).data, (await decodePicture(second.path)).data];
    after.forEach((value, i) => {
      const share = mask[Math.floor(i / 3)];
      if (share === 0) expect(value).toBe(before[i]);
      if (share === 1) expect(value).toBe(77);
    });
  });
});
