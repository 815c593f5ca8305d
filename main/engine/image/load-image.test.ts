import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodePicture, imageSize } from './decode.ts';
import { loadImage } from './load-image.ts';
import { fromTensor } from './pixels.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'impasto-load-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const noise = (length: number, top = 256) => Array.from({ length }, (_, i) => (i * 7919 + i * i * 31) % top);

async function save(name: string, picture: Sharp): Promise<string> {
  const path = join(folder, name);
  await picture.toFile(path);
  return path;
}

function rgb(width: number, height: number): { bytes: Uint8Array; picture: Sharp } {
  const bytes = Uint8Array.from(noise(width * height * 3));
  return { bytes, picture: sharp(bytes, { raw: { width, height, channels: 3 } }) };
}

/** 2 * (x / 255) - 1, each operation rounded to float32 as torch does. */
const asTorch = (x: number, top: number) => Math.fround(Math.fround(2 * Math.fround(x / top)) - 1);

describe('loadImage', () => {
  it('keeps every value of an 8-bit picture of the wanted size, channel first', async () => {
    const { bytes, picture } = rgb(24, 16);
    for (const path of [
      await save('exact.png', picture),
      await save('exact.tif', picture.clone().tiff({ compression: 'none' })),
    ]) {
      const { tensor, pixels, warnings } = await loadImage(path, { width: 24, height: 16 });
      bytes.forEach((value, i) => {
        expect(tensor[(i % 3) * 24 * 16 + Math.floor(i / 3)]).toBe(asTorch(value, 255));
        expect(pixels[i]).toBe(Math.fround(value / 255));
      });
      expect(warnings).toEqual([]);
    }
  });

  it('keeps every value of a picture that carries an sRGB profile', async () => {
    const { bytes, picture } = rgb(24, 16);
    const path = await save('srgb.png', picture.withIccProfile('srgb'));
    const { data } = await decodePicture(path);
    expect(Buffer.from(data).equals(Buffer.from(bytes))).toBe(true);
  });

  it('keeps every value of a 16-bit picture', async () => {
    const values = Uint16Array.from(noise(24 * 16 * 3, 65536));
    const picture = sharp(values, { raw: { width: 24, height: 16, channels: 3 } }).toColourspace('rgb16');
    const { tensor } = await loadImage(await save('deep.png', picture.png()), { width: 24, height: 16 });
    values.forEach((value, i) => {
      expect(tensor[(i % 3) * 24 * 16 + Math.floor(i / 3)]).toBe(asTorch(value, 65535));
    });
  });

  it('goes back from the tensor to the same 8-bit values', async () => {
    const { bytes, picture } = rgb(24, 16);
    const { tensor } = await loadImage(await save('back.png', picture), { width: 24, height: 16 });
    const { pixels } = fromTensor(tensor, 24, 16);
    expect(pixels.every((value, i) => Math.floor(value * 255 + 0.5) === bytes[i])).toBe(true);
  });

  it('stretches to another shape and says so', async () => {
    const path = await save('wide.png', rgb(40, 20).picture);
    const loaded = await loadImage(path, { width: 16, height: 16 });
    expect(loaded.tensor).toHaveLength(3 * 16 * 16);
    expect(loaded.source).toEqual({ width: 40, height: 20 });
    expect(loaded.warnings.map(({ code }) => code)).toEqual(['IMAGE_STRETCHED']);
  });

  it('covers another shape by cropping evenly', async () => {
    const bytes = new Uint8Array(40 * 20 * 3);
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(i / 3) % 40 < 20 ? 0 : 255;
    const path = await save('halves.png', sharp(bytes, { raw: { width: 40, height: 20, channels: 3 } }));
    const { pixels, warnings } = await loadImage(path, { width: 20, height: 20, fit: 'cover' });
    expect(warnings).toEqual([]);
    for (let i = 0; i < 400; i++) expect(pixels[i * 3]).toBe(i % 20 < 10 ? 0 : 1);
  });

  it('lays transparent parts over white, or the colour it is given, and says so', async () => {
    const bytes = Uint8Array.from([200, 100, 0, 0, 200, 100, 0, 255, 200, 100, 0, 128, 10, 20, 30, 255]);
    const path = await save('alpha.png', sharp(bytes, { raw: { width: 2, height: 2, channels: 4 } }));
    const onWhite = await loadImage(path, { width: 2, height: 2 });
    const levels = Array.from(onWhite.pixels, (value) => Math.round(value * 255));
    expect(levels).toEqual([255, 255, 255, 200, 100, 0, 227, 177, 127, 10, 20, 30]);
    expect(onWhite.warnings.map(({ code }) => code)).toEqual(['IMAGE_FLATTENED']);
    const onBlack = await loadImage(path, { width: 2, height: 2, background: [0, 0, 0] });
    expect(Array.from(onBlack.pixels.subarray(0, 3))).toEqual([0, 0, 0]);
  });

  it('does not speak of an opaque alpha channel', async () => {
    const path = await save('opaque.png', rgb(8, 8).picture.ensureAlpha());
    expect((await loadImage(path, { width: 8, height: 8 })).warnings).toEqual([]);
  });

  it('turns a picture upright by its EXIF orientation', async () => {
    const bytes = new Uint8Array(16 * 8 * 3);
    bytes.fill(255, 0, 16 * 4 * 3);
    const path = await save(
      'turned.png',
      sharp(bytes, { raw: { width: 16, height: 8, channels: 3 } }).withMetadata({ orientation: 6 }),
    );
    expect(await imageSize(path)).toEqual({ width: 8, height: 16 });
    const { data, width } = await decodePicture(path);
    // The white upper half of the stored picture is the right half of the shown one.
    expect([data[0], data[(width - 1) * 3]]).toEqual([0, 255]);
  });

  it('reads grey, grey with alpha, palette, CMYK, GIF, WebP and AVIF as RGB', async () => {
    const even = sharp({ create: { width: 16, height: 16, channels: 3, background: { r: 200, g: 60, b: 40 } } });
    const grey = sharp(new Uint8Array(256).fill(90), { raw: { width: 16, height: 16, channels: 1 } });
    const greyAlpha = sharp(new Uint8Array(512).fill(255), { raw: { width: 16, height: 16, channels: 2 } });
    const cases: [string, Sharp, number[], number][] = [
      ['grey.png', grey, [90, 90, 90], 0],
      ['grey-alpha.png', greyAlpha, [255, 255, 255], 0],
      ['palette.png', even.clone().png({ palette: true }), [200, 60, 40], 0],
      ['cmyk.jpg', even.clone().toColourspace('cmyk').jpeg({ quality: 100 }), [200, 60, 40], 30],
      ['p.gif', even.clone().gif(), [200, 60, 40], 8],
      ['p.webp', even.clone().webp({ lossless: true }), [200, 60, 40], 0],
      ['p.avif', even.clone().avif({ lossless: true }), [200, 60, 40], 0],
    ];
    for (const [name, picture, colour, tolerance] of cases) {
      const { pixels } = await loadImage(await save(name, picture), { width: 16, height: 16 });
      colour.forEach((level, channel) => {
        expect(Math.abs((pixels[channel] as number) * 255 - level), name).toBeLessThanOrEqual(tolerance + 1e-4);
      });
    }
  });

  it('brings a wide-gamut picture to sRGB, 8-bit and 16-bit', async () => {
    const even = sharp({ create: { width: 8, height: 8, channels: 3, background: { r: 180, g: 90, b: 60 } } });
    const p3 = await save('p3.png', even.withIccProfile('p3'));
    const stored = await sharp(p3, { ignoreIcc: true }).raw().toBuffer();
    expect(Math.abs((stored[0] as number) - 180), 'the stored values are Display P3').toBeGreaterThan(4);
    const deep = await save('p3-16.png', sharp(p3).keepIccProfile().toColourspace('rgb16'));
    for (const path of [p3, deep]) {
      const { pixels } = await loadImage(path, { width: 8, height: 8 });
      [180, 90, 60].forEach((level, channel) => {
        expect(Math.abs((pixels[channel] as number) * 255 - level), path).toBeLessThan(3);
      });
    }
  });

  it('sees a file again that was saved anew under its name', async () => {
    const flat = (level: number) =>
      sharp({ create: { width: 8, height: 8, channels: 3, background: { r: level, g: 0, b: 0 } } });
    const path = await save('again.png', flat(10));
    expect((await decodePicture(path)).data[0]).toBe(10);
    await save('again.png', flat(200));
    expect((await decodePicture(path)).data[0]).toBe(200);
  });

  it('stops when it is cancelled', async () => {
    const path = await save('cancel.png', rgb(8, 8).picture);
    const signal = AbortSignal.abort();
    await expect(loadImage(path, { width: 8, height: 8, signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('bad picture files', () => {
  const load = (path: string) => loadImage(path, { width: 8, height: 8 });

  /** A PNG whose header claims a size that its few bytes do not hold. */
  function claim(width: number, height: number): Buffer {
    const header = Buffer.alloc(25);
    header.writeUInt32BE(13, 0);
    header.write('IHDR', 4);
    header.writeUInt32BE(width, 8);
    header.writeUInt32BE(height, 12);
    header.set([8, 2, 0, 0, 0], 16);
    header.writeUInt32BE(crc32(header.subarray(4, 21)), 21);
    const data = Buffer.from('0000000a49444154789c63600000000200015', 'hex');
    return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), header, data]);
  }

  it('refuses a missing file, a folder, an empty file and what is no picture', async () => {
    const write = (name: string, bytes: string | Buffer) => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    await expect(load(join(folder, 'missing.png'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(load(folder)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    await expect(load(write('empty.png', ''))).rejects.toMatchObject({ code: 'IMAGE_UNREADABLE' });
    await expect(load(write('text.png', 'not a picture at all'))).rejects.toMatchObject({ code: 'IMAGE_UNREADABLE' });
    await expect(
      load(write('v.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>')),
    ).rejects.toMatchObject({
      code: 'IMAGE_UNREADABLE',
    });
    await expect(load(write('head.png', claim(8, 8).subarray(0, 20)))).rejects.toMatchObject({
      code: 'IMAGE_UNREADABLE',
    });
    await expect(load(write('no-data.png', claim(8, 8)))).rejects.toMatchObject({ code: 'IMAGE_UNREADABLE' });
  });

  it('refuses pictures that are cut off, in every format', async () => {
    const { picture } = rgb(64, 64);
    for (const [name, encoded] of [
      ['cut.png', picture.clone().png()],
      ['cut.jpg', picture.clone().jpeg()],
      ['cut.webp', picture.clone().webp({ lossless: true })],
      ['cut.avif', picture.clone().avif()],
      ['cut.tif', picture.clone().tiff()],
    ] as [string, Sharp][]) {
      const path = await save(name, encoded);
      truncateSync(path, Math.floor((await encoded.toBuffer()).length / 2));
      await expect(load(path), name).rejects.toMatchObject({ code: 'IMAGE_UNREADABLE' });
    }
  });

  it('refuses what is too large by its header alone', async () => {
    for (const [width, height] of [
      [20_000, 8],
      [8, 20_000],
      [16_000, 16_000],
      [2 ** 31 - 1, 2 ** 31 - 1],
    ] as const) {
      const path = join(folder, `claim-${width}x${height}.png`);
      writeFileSync(path, claim(width, height));
      const refusal = expect(load(path), `${width}x${height}`).rejects;
      if (width < 2 ** 31 - 1) await refusal.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
      else await refusal.toMatchObject({ code: expect.stringMatching(/IMAGE_(TOO_LARGE|UNREADABLE)/) });
      await expect(imageSize(path)).rejects.toMatchObject({ code: expect.stringMatching(/^IMAGE_/) });
    }
  });

  it('refuses a real picture that is 20,000 pixels wide', async () => {
    const path = await save(
      'wide20k.png',
      sharp({ create: { width: 20_000, height: 2, channels: 3, background: '#fff' } }),
    );
    await expect(load(path)).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
      message: expect.stringContaining('20000x2'),
    });
  });
});
