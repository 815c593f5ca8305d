import { type ByteSource, bufferSource } from '../files/byte-source.ts';
import { encodeTiffDirectory, longEntry, readTiff, type TiffEntry, tiffTag, tiffType } from './tiff.ts';

/**
 * EXIF UserComment as A1111 writes and Civitai reads it: the eight bytes `UNICODE\0`, then UTF-16 big-endian.
 */

/** libexif, which libvips writes EXIF by, keeps no block longer than JPEG's segment; it drops the rest unsaid. */
export const maxUserCommentBytes = 65_000;

const unicode = Buffer.from('UNICODE\0', 'latin1');

export function encodeUserComment(text: string): Buffer {
  return Buffer.concat([unicode, Buffer.from(text.toWellFormed(), 'utf16le').swap16()]);
}

/**
 * Reads a UserComment whatever wrote it: UTF-16 of either byte order (by its mark, else by where the zero bytes of
 * the Latin letters stand), UTF-8 as EXIF 3.0 has it, or plain ASCII.
 */
export function decodeUserComment(bytes: Buffer): string {
  const code = bytes.toString('latin1', 0, 8);
  if (/^(ASCII\0{3}|JIS\0{5}|\0{8})$/.test(code)) return trim(bytes.subarray(8).toString('utf8'));
  if (!code.startsWith('UNICODE')) return trim(bytes.toString('utf8'));
  const body = bytes.subarray(8);
  const mark = body.toString('latin1', 0, 2);
  if (mark === '\xfe\xff') return trim(utf16(body.subarray(2), true));
  if (mark === '\xff\xfe') return trim(utf16(body.subarray(2), false));
  let [even, odd] = [0, 0];
  for (let i = 0; i + 1 < body.length; i += 2) {
    if (body[i] === 0) even++;
    if (body[i + 1] === 0) odd++;
  }
  if (even === 0 && odd === 0 && isUtf8(body)) return trim(body.toString('utf8'));
  return trim(utf16(body, even >= odd));
}

/** An EXIF block (a TIFF structure, big-endian) that holds the comment and nothing else. */
export function buildExif(text: string): Buffer {
  const head = Buffer.from('MM\0*\0\0\0\x08', 'latin1');
  const pointerDirectoryBytes = 2 + 12 + 4;
  const exifAt = head.length + pointerDirectoryBytes;
  return Buffer.concat([
    head,
    encodeTiffDirectory([longEntry(tiffTag.exifDirectory, exifAt, false)], head.length, false),
    encodeTiffDirectory(commentEntries(text), exifAt, false),
  ]);
}

/** The entries of an EXIF directory that holds the comment. */
export function commentEntries(text: string): TiffEntry[] {
  const comment = encodeUserComment(text);
  return [
    { tag: tiffTag.exifVersion, type: tiffType.undefined, count: 4, value: Buffer.from('0232', 'latin1') },
    { tag: tiffTag.userComment, type: tiffType.undefined, count: comment.length, value: comment },
  ];
}

/** What an EXIF block, or a TIFF file, says in UserComment or else ImageDescription, and its XMP packet. */
export async function readExif(source: ByteSource): Promise<{ comment?: string; xmp?: string }> {
  const tiff = await readTiff(source);
  const comment = tiff?.exif?.entries.find(({ tag }) => tag === tiffTag.userComment);
  const description = tiff?.main.entries.find(({ tag }) => tag === tiffTag.imageDescription);
  const xmp = tiff?.main.entries.find(({ tag }) => tag === tiffTag.xmp);
  const text =
    (comment && decodeUserComment(comment.value)) || (description && trim(description.value.toString('utf8')));
  return { ...(text ? { comment: text } : {}), ...(xmp ? { xmp: xmp.value.toString('utf8') } : {}) };
}

/** As {@link readExif}, from a block that may begin with JPEG's `Exif\0\0`. */
export function readExifBlock(block: Buffer) {
  const prefixed = block.toString('latin1', 0, 6) === 'Exif\0\0';
  return readExif(bufferSource(prefixed ? block.subarray(6) : block));
}

function utf16(bytes: Buffer, bigEndian: boolean): string {
  const even = Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % 2)));
  return (bigEndian ? even.swap16() : even).toString('utf16le');
}

function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function trim(text: string): string {
  return text.replace(/[\0\s]+$/, '').replace(/^[\0\s]+/, '');
}
