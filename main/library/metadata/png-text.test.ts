import { crc32, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { bufferSource } from '../files/byte-source.ts';
import { insertPngChunks, type PngChunk } from './png-chunks.ts';
import { pngTextChunk, readPngText } from './png-text.ts';

let plain: Buffer;
beforeAll(async () => {
  const create = { width: 32, height: 32, channels: 3 as const, background: '#c33' };
  plain = await sharp({ create }).png().toBuffer();
});

const withChunks = (...late: PngChunk[]) => insertPngChunks(plain, { late });
const read = (png: Buffer) => readPngText(bufferSource(png));

/** A chunk with a CRC, or a wrong one. */
function rawChunk(type: string, data: Buffer, crc = crc32(data, crc32(type))): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(data.length, 0);
  head.write(type, 4, 'latin1');
  const tail = Buffer.alloc(4);
  tail.writeUInt32BE(crc >>> 0, 0);
  return Buffer.concat([head, data, tail]);
}

/** The chunk, already encoded, before IEND. */
const beforeEnd = (...chunks: Buffer[]) => Buffer.concat([plain.subarray(0, -12), ...chunks, plain.subarray(-12)]);

function itxt(keyword: string, flag: number, method: number, body: Buffer): Buffer {
  return rawChunk(
    'iTXt',
    Buffer.concat([Buffer.from(`${keyword}\0`), Buffer.from([flag, method]), Buffer.from('en\0k\0'), body]),
  );
}

describe('PNG texts', () => {
  it('stores Latin-1 as tEXt and the rest as iTXt, before the picture data', async () => {
    const chunks = [pngTextChunk('parameters', 'é star\nSteps: 20'), pngTextChunk('impasto', '{"a":"星"}')];
    expect(chunks.map(({ type }) => type)).toEqual(['tEXt', 'iTXt']);
    const png = await withChunks(...chunks);
    expect(png.indexOf('tEXt')).toBeLessThan(png.indexOf('IDAT'));
    const { texts, warnings } = await read(png);
    expect(Object.fromEntries(texts)).toEqual({ parameters: 'é star\nSteps: 20', impasto: '{"a":"星"}' });
    expect(warnings).toEqual([]);
  });

  it('leaves a picture that decodes as before, with checksums that a strict reader accepts', async () => {
    const png = await withChunks(pngTextChunk('parameters', 'x'), pngTextChunk('impasto', '星'));
    const strict = sharp(png, { failOn: 'warning' });
    expect((await strict.raw().toBuffer()).equals(await sharp(plain).raw().toBuffer())).toBe(true);
    expect((await sharp(png).metadata()).comments).toEqual(
      expect.arrayContaining([{ keyword: 'parameters', text: 'x' }]),
    );
  });

  it('keeps any text but NUL and half characters', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        const { texts, warnings } = await read(await withChunks(pngTextChunk('impasto', text)));
        expect(texts.get('impasto')).toBe(text.replaceAll('\0', ' ').toWellFormed());
        expect(warnings).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it('reads zTXt and compressed and plain iTXt, also after the picture data', async () => {
    const png = beforeEnd(
      rawChunk('zTXt', Buffer.concat([Buffer.from('a\0\0'), deflateSync(Buffer.from('zipped é', 'latin1'))])),
      itxt('b', 1, 0, deflateSync(Buffer.from('星 zipped'))),
      itxt('c', 0, 0, Buffer.from('星 plain')),
    );
    expect(Object.fromEntries((await read(png)).texts)).toEqual({ a: 'zipped é', b: '星 zipped', c: '星 plain' });
  });

  it('takes the first of two texts with one keyword', async () => {
    const { texts } = await read(
      await withChunks(pngTextChunk('parameters', 'one'), pngTextChunk('parameters', 'two')),
    );
    expect(texts.get('parameters')).toBe('one');
  });

  it('refuses to extend what is no PNG', async () => {
    await expect(insertPngChunks(Buffer.from('nothing of the kind'), {})).rejects.toThrow(RangeError);
    await expect(insertPngChunks(plain.subarray(0, 33), {})).rejects.toThrow(RangeError);
  });
});

describe('hostile PNG texts', () => {
  const good = rawChunk('tEXt', Buffer.from('good\0still read'));

  it.each<[string, () => Buffer, RegExp]>([
    ['a wrong checksum', () => rawChunk('tEXt', Buffer.from('bad\0x'), 1), /checksum/],
    ['no keyword', () => rawChunk('tEXt', Buffer.from('\0x')), /keyword/],
    ['no end of the keyword', () => rawChunk('tEXt', Buffer.from('x'.repeat(200))), /keyword/],
    ['a keyword of 100 letters', () => rawChunk('iTXt', Buffer.from(`${'k'.repeat(100)}\0\0\0\0\0x`)), /keyword/],
    ['an empty chunk', () => rawChunk('zTXt', Buffer.alloc(0)), /keyword/],
    ['data that are no zlib stream', () => rawChunk('zTXt', Buffer.from('z\0\0not zlib')), /"z" is broken/],
    ['an unknown compression', () => rawChunk('zTXt', Buffer.from('z\0\x09xx')), /"z" is broken/],
    ['iTXt that ends after its keyword', () => rawChunk('iTXt', Buffer.from('i\0')), /"i" is broken/],
    ['iTXt without language end', () => rawChunk('iTXt', Buffer.from('i\0\0\0en')), /"i" is broken/],
    ['iTXt with a wrong flag', () => itxt('i', 7, 0, Buffer.from('x')), /"i" is broken/],
    [
      'a bomb in zTXt',
      () => rawChunk('zTXt', Buffer.concat([Buffer.from('z\0\0'), deflateSync(Buffer.alloc(50_000_000))])),
      /"z" is broken/,
    ],
    ['a bomb in iTXt', () => itxt('z', 1, 0, deflateSync(Buffer.alloc(50_000_000))), /"z" is broken/],
    [
      'a text of 5 MB',
      () => rawChunk('tEXt', Buffer.concat([Buffer.from('t\0'), Buffer.alloc(5_000_000, 65)])),
      /too large/,
    ],
  ])('skips %s with a warning and reads on', async (_, chunk, warning) => {
    const { texts, warnings } = await read(beforeEnd(chunk(), good));
    expect(Object.fromEntries(texts)).toEqual({ good: 'still read' });
    expect(warnings).toEqual([expect.stringMatching(warning)]);
  });

  it('stops at a length that runs past the end, keeping what it has', async () => {
    const endless = Buffer.from(rawChunk('tEXt', Buffer.from('x\0y')));
    endless.writeUInt32BE(0xffffffff, 0);
    const { texts, warnings } = await read(beforeEnd(good, endless));
    expect(texts.get('good')).toBe('still read');
    expect(warnings).toEqual([expect.stringMatching(/past its end/)]);
  });

  it('says where a file is cut off, at any byte', async () => {
    const png = await withChunks(pngTextChunk('parameters', 'x'.repeat(100)));
    for (let length = 8; length < png.length; length += 7) {
      const { warnings } = await read(png.subarray(0, length));
      expect(warnings.length, `cut at ${length}`).toBeGreaterThan(0);
    }
  });

  it('bounds how much all texts together may hold', async () => {
    const big = (name: string) =>
      rawChunk('tEXt', Buffer.concat([Buffer.from(`${name}\0`), Buffer.alloc(4_000_000, 65)]));
    const { texts, warnings } = await read(beforeEnd(...Array.from('abcdefgh', big)));
    expect(texts.size).toBeLessThan(5);
    expect(warnings.length).toBe(8 - texts.size);
  });

  it('never throws, whatever bytes are changed', async () => {
    const png = await withChunks(pngTextChunk('parameters', 'a'), pngTextChunk('impasto', '星'));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(png.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        async (changes) => {
          const broken = Buffer.from(png);
          for (const [at, value] of changes) broken[at] = value;
          const { texts } = await read(broken);
          expect(texts.size).toBeLessThanOrEqual(2);
        },
      ),
      { numRuns: 300 },
    );
  });
});
