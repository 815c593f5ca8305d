import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RenderRequest } from '../../../contract/request.ts';
import { buildExif } from './exif.ts';
import { insertPngChunks, type PngChunk } from './png-chunks.ts';
import { pngTextChunk } from './png-text.ts';
import { readMetadata, requestFromPicture } from './read-metadata.ts';
import { requestToJson } from './request-json.ts';
import { buildXmp } from './xmp.ts';

let folder = '';
let plain: Buffer;
const create = { width: 16, height: 16, channels: 3 as const, background: '#369' };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'impasto-read-'));
  plain = await sharp({ create }).png().toBuffer();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, bytes: Buffer | string): string {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
}
const png = async (name: string, ...late: PngChunk[]) => write(name, await insertPngChunks(plain, { late }));

const foreign =
  'a castle\nNegative prompt: fog\nSteps: 25, Sampler: Euler a, Schedule type: Automatic, CFG scale: 7, Seed: 99, ' +
  'Size: 512x768, Model hash: abcdef0123, Model: castles_v3, ENSD: 31337, Version: v1.9.3';
const own = RenderRequest.parse({ prompt: 'ours', seed: 5, width: 64, height: 64 });
const codes = (warnings: { code: string }[]) => warnings.map(({ code }) => code);

describe('readMetadata', () => {
  it('reads a picture of another tool, saying what it cannot take over', async () => {
    const metadata = await readMetadata(await png('a1111.png', pngTextChunk('parameters', foreign)));
    expect(metadata).toMatchObject({
      source: 'infotext',
      infotext: foreign,
      model: { name: 'castles_v3', hash: 'abcdef0123' },
      request: {
        prompt: 'a castle',
        negativePrompt: 'fog',
        seed: 99,
        steps: 25,
        width: 512,
        height: 768,
        noise: 'cuda',
        model: 'castles_v3',
        scheduler: { name: 'euler-a', sigmas: 'default' },
      },
    });
    expect(codes(metadata.warnings)).toEqual(['METADATA_UNMAPPED', 'METADATA_MODEL']);
    expect(metadata.warnings[0]?.message).toContain('ENSD: 31337');
    expect(metadata.warnings[1]?.message).toContain('abcdef0123');
  });

  it('prefers our own request', async () => {
    const path = await png(
      'both.png',
      pngTextChunk('parameters', foreign),
      pngTextChunk('impasto', requestToJson(own)),
    );
    const metadata = await readMetadata(path);
    expect(metadata).toMatchObject({ source: 'impasto', request: own, infotext: foreign, warnings: [] });
  });

  it('falls back on the other tools’ text where ours is damaged, of a later version or not allowed, and says so', async () => {
    for (const [name, text] of [
      ['cut', '{"version":1,"prom'],
      ['later', '{"version":2}'],
      ['extra', '{"version":1,"surprise":true}'],
      ['array', '[]'],
    ] as const) {
      const path = await png(`${name}.png`, pngTextChunk('impasto', text), pngTextChunk('parameters', foreign));
      const metadata = await readMetadata(path);
      expect(metadata.source, name).toBe('infotext');
      expect(codes(metadata.warnings), name).toContain('METADATA_INVALID');
      const alone = await png(`${name}-alone.png`, pngTextChunk('impasto', text));
      await expect(requestFromPicture(alone), name).rejects.toMatchObject({
        code: 'NO_METADATA',
        message: expect.stringContaining('damaged or newer'),
      });
    }
  });

  it('reads EXIF as A1111 writes it into JPEG, WebP and AVIF, and in PNG', async () => {
    const carrier = await insertPngChunks(plain, { early: [{ type: 'eXIf', data: buildExif(foreign) }] });
    const files: [string, Sharp][] = [
      ['exif.jpg', sharp(carrier).keepExif().jpeg()],
      ['exif.webp', sharp(carrier).keepExif().webp()],
      ['exif.avif', sharp(carrier).keepExif().avif()],
    ];
    for (const [name, picture] of files) {
      expect((await readMetadata(write(name, await picture.toBuffer()))).infotext, name).toBe(foreign);
    }
    expect((await readMetadata(write('exif.png', carrier))).request?.seed).toBe(99);
  });

  it('finds our request after another program has saved the file again with its metadata', async () => {
    const jpeg = await sharp({ create })
      .withXmp(buildXmp(requestToJson(own)))
      .jpeg()
      .toBuffer();
    for (const format of ['jpeg', 'webp', 'avif', 'tiff', 'png'] as const) {
      const again = await sharp(jpeg).keepXmp().toFormat(format).toBuffer();
      expect((await readMetadata(write(`again.${format}`, again))).request, format).toEqual(own);
    }
  });

  it('names the settings of tools it does not read', async () => {
    const metadata = await readMetadata(
      await png('comfy.png', pngTextChunk('workflow', '{}'), pngTextChunk('prompt', '{}')),
    );
    expect(metadata.warnings[0]?.message).toContain('workflow, prompt');
    expect(metadata.request).toBeUndefined();
  });

  it('says where a text is no settings at all', async () => {
    const path = await png('words.png', pngTextChunk('parameters', 'only words'));
    await expect(requestFromPicture(path)).rejects.toMatchObject({ code: 'NO_METADATA', message: /holds no settings/ });
  });

  it('hands warnings to whoever asks for the request', async () => {
    const heard: string[] = [];
    const path = await png('heard.png', pngTextChunk('parameters', foreign));
    await requestFromPicture(path, ({ code }) => heard.push(code));
    expect(heard).toEqual(['METADATA_UNMAPPED', 'METADATA_MODEL']);
  });

  it('has one clear error for files that say nothing, are broken or no pictures', async () => {
    await expect(requestFromPicture(write('plain.png', plain))).rejects.toMatchObject({ code: 'NO_METADATA' });
    await expect(requestFromPicture(join(folder, 'none.png'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(requestFromPicture(folder)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    await expect(requestFromPicture(write('t.png', 'text'))).rejects.toMatchObject({ code: 'IMAGE_UNREADABLE' });
    await expect(requestFromPicture(write('h.jpg', Buffer.from('ffd8ffe0', 'hex')))).rejects.toMatchObject({
      code: 'IMAGE_UNREADABLE',
    });
    await expect(requestFromPicture(write('h.tif', 'II*\0\xff\xff\xff\xff'))).rejects.toMatchObject({
      code: 'NO_METADATA',
    });
    const cut = await png('cut-off.png', pngTextChunk('parameters', foreign));
    truncateSync(cut, plain.length);
    const metadata = await readMetadata(cut);
    expect(codes(metadata.warnings)).toContain('METADATA_DAMAGED');
  });
});
