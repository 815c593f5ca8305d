import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../files/byte-source.ts';
import { buildExif, commentEntries, decodeUserComment, encodeUserComment, readExif, readExifBlock } from './exif.ts';
import { addTiffEntries, longEntry, readTiff, tiffTag } from './tiff.ts';

const text = 'ein Stern 星 😀\nSteps: 20, Sampler: Euler a';

describe('UserComment', () => {
  it('is UNICODE and UTF-16 big-endian', () => {
    expect(encodeUserComment('a星').toString('hex')).toBe(`${Buffer.from('UNICODE\0').toString('hex')}0061661f`);
  });

  it.each<[string, Buffer]>([
    ['our own', encodeUserComment(text)],
    ['UTF-16 little-endian without a mark', Buffer.concat([Buffer.from('UNICODE\0'), Buffer.from(text, 'utf16le')])],
    ['UTF-16 with a mark', Buffer.concat([Buffer.from('UNICODE\0\xff\xfe', 'latin1'), Buffer.from(text, 'utf16le')])],
    [
      'UTF-16 big-endian with a mark',
      Buffer.concat([Buffer.from('UNICODE\0\xfe\xff', 'latin1'), Buffer.from(text, 'utf16le').swap16()]),
    ],
    ['UTF-8 as EXIF 3.0 has it', Buffer.from(`UNICODE\0${text}`)],
    ['UTF-8 under an undefined code', Buffer.from(`${'\0'.repeat(8)}${text}`)],
    ['UTF-8 without any code', Buffer.from(text)],
    ['ASCII', Buffer.from(`ASCII\0\0\0${text}\0\0`)],
  ])('is read as %s', (_, bytes) => {
    expect(decodeUserComment(bytes)).toBe(text);
  });

  it('survives nothing at all and an odd number of bytes', () => {
    expect(decodeUserComment(Buffer.alloc(0))).toBe('');
    expect(decodeUserComment(Buffer.from('UNICODE\0'))).toBe('');
    expect(decodeUserComment(Buffer.concat([encodeUserComment('ab'), Buffer.from([0])]))).toBe('ab');
  });
});

describe('EXIF blocks and TIFF files', () => {
  it('reads back what it wrote, with and without JPEG’s prefix', async () => {
    const block = buildExif(text);
    expect(await readExifBlock(block)).toEqual({ comment: text });
    expect(await readExifBlock(Buffer.concat([Buffer.from('Exif\0\0'), block]))).toEqual({ comment: text });
  });

  it('extends a TIFF file that decodes as before', async () => {
    const bytes = Uint8Array.from({ length: 300 * 200 * 3 }, (_, i) => (i * 31) % 251);
    const raw = sharp(bytes, { raw: { width: 300, height: 200, channels: 3 } });
    const tiff = await raw.tiff({ compression: 'deflate' }).toBuffer();
    const extended = await addTiffEntries(tiff, [], commentEntries(text));
    expect(await readExif(bufferSource(extended))).toEqual({ comment: text });
    expect((await sharp(extended, { failOn: 'warning' }).raw().toBuffer()).equals(Buffer.from(bytes))).toBe(true);
    const twice = await addTiffEntries(extended, [], commentEntries('other'));
    expect(await readExif(bufferSource(twice))).toEqual({ comment: 'other' });
    const { main } = (await readTiff(bufferSource(twice))) ?? {};
    expect(main?.entries.filter(({ tag }) => tag === tiffTag.exifDirectory)).toHaveLength(1);
  });

  it('refuses to extend what is no TIFF', async () => {
    await expect(addTiffEntries(Buffer.from('II*\0....'), [])).rejects.toThrow(RangeError);
    await expect(addTiffEntries(Buffer.from('GIF89a......'), [])).rejects.toThrow(RangeError);
  });

  it('does not follow a pointer to itself, past the end or to a table of 65,535 entries', async () => {
    const loop = await addTiffEntries(Buffer.from('II*\0\x08\0\0\0\0\0\0\0\0\0', 'latin1'), [
      longEntry(tiffTag.exifDirectory, 14, true),
    ]);
    expect(await readExif(bufferSource(loop))).toEqual({});
    for (const offset of [0xffffffff, 3, 7]) {
      const block = Buffer.from(buildExif(text));
      block.writeUInt32BE(offset, 4);
      expect(await readExifBlock(block)).toEqual({});
    }
    const full = Buffer.alloc(65535 * 12 + 14, 0xff);
    full.write('MM\0*\0\0\0\x08', 'latin1');
    expect(await readExifBlock(full)).toEqual({});
  });

  it('never throws, whatever bytes are changed or cut', async () => {
    const block = buildExif(text);
    const changes = fc.array(fc.tuple(fc.nat(block.length - 1), fc.nat(255)), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(changes, fc.nat(block.length), async (list, length) => {
        const broken = Buffer.from(block);
        for (const [at, value] of list) broken[at] = value;
        const { comment } = await readExifBlock(broken.subarray(0, length));
        expect(['string', 'undefined']).toContain(typeof comment);
      }),
      { numRuns: 1000 },
    );
  });
});
