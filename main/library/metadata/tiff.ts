import { type ByteSource, bufferSource } from '../files/byte-source.ts';

/** TIFF 6.0's structure, which is also that of an EXIF block: directories of tagged values. Classic TIFF only. */

export const tiffTag = {
  imageDescription: 0x010e,
  xmp: 0x02bc,
  iccProfile: 0x8773,
  exifDirectory: 0x8769,
  exifVersion: 0x9000,
  userComment: 0x9286,
} as const;

/** Bytes of one value of each type: BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED, ... (TIFF 6.0, 2). */
const typeSize = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8];
export const tiffType = { byte: 1, ascii: 2, long: 4, undefined: 7 } as const;

const maxEntries = 4096;
const maxValueBytes = 4 * 1024 * 1024;

/** A tag with its value's bytes, in the byte order of its file. */
export interface TiffEntry {
  tag: number;
  type: number;
  count: number;
  value: Buffer;
}

export interface TiffDirectory {
  littleEndian: boolean;
  /** Offset of the first directory. */
  offset: number;
  /** Offset of the following directory, 0 for none. */
  next: number;
  entries: TiffEntry[];
  /** How many entries were left out: of unknown types, too large, or past the end. */
  skipped: number;
}

/** The first directory and its EXIF directory; undefined where the bytes are no classic TIFF structure. */
export async function readTiff(
  source: ByteSource,
): Promise<{ main: TiffDirectory; exif: TiffDirectory | undefined } | undefined> {
  const head = await source.read(0, 8);
  if (head.length < 8) return undefined;
  const order = head.toString('latin1', 0, 4);
  if (order !== 'II*\0' && order !== 'MM\0*') return undefined;
  const littleEndian = order === 'II*\0';
  const number = reader(littleEndian);
  const main = await readDirectory(source, number.u32(head, 4), littleEndian);
  if (!main) return undefined;
  const pointer = main.entries.find(({ tag }) => tag === tiffTag.exifDirectory)?.value;
  const exif = pointer?.length === 4 ? await readDirectory(source, number.u32(pointer, 0), littleEndian) : undefined;
  return { main, exif };
}

function reader(littleEndian: boolean) {
  return {
    u16: (bytes: Buffer, at: number) => (littleEndian ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)),
    u32: (bytes: Buffer, at: number) => (littleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)),
  };
}

async function readDirectory(
  source: ByteSource,
  offset: number,
  littleEndian: boolean,
): Promise<TiffDirectory | undefined> {
  const number = reader(littleEndian);
  const head = await source.read(offset, 2);
  if (head.length < 2) return undefined;
  const count = number.u16(head, 0);
  const table = Buffer.from(await source.read(offset + 2, count * 12 + 4));
  if (count > maxEntries || table.length < count * 12 + 4) return undefined;
  const entries: TiffEntry[] = [];
  for (let at = 0; at < count * 12; at += 12) {
    const type = number.u16(table, at + 2);
    const values = number.u32(table, at + 4);
    const length = values * (typeSize[type] ?? 0);
    if (length === 0 || length > maxValueBytes) continue;
    const place = number.u32(table, at + 8);
    const value = length <= 4 ? table.subarray(at + 8, at + 8 + length) : Buffer.from(await source.read(place, length));
    if (value.length === length) entries.push({ tag: number.u16(table, at), type, count: values, value });
  }
  return { littleEndian, offset, next: number.u32(table, count * 12), entries, skipped: count - entries.length };
}

/** A directory at `offset`, its values after it; entries are sorted by tag, as TIFF asks. */
export function encodeTiffDirectory(
  entries: readonly TiffEntry[],
  offset: number,
  littleEndian: boolean,
  next = 0,
): Buffer {
  const sorted = [...entries].sort((a, b) => a.tag - b.tag);
  const table = Buffer.alloc(2 + sorted.length * 12 + 4);
  const values: Buffer[] = [];
  let end = offset + table.length;
  const u16 = (value: number, at: number) =>
    littleEndian ? table.writeUInt16LE(value, at) : table.writeUInt16BE(value, at);
  const u32 = (value: number, at: number) =>
    littleEndian ? table.writeUInt32LE(value, at) : table.writeUInt32BE(value, at);
  u16(sorted.length, 0);
  sorted.forEach(({ tag, type, count, value }, index) => {
    const at = 2 + index * 12;
    u16(tag, at);
    u16(type, at + 2);
    u32(count, at + 4);
    if (value.length <= 4) {
      value.copy(table, at + 8);
      return;
    }
    u32(end, at + 8);
    const padded = value.length % 2 === 0 ? value : Buffer.concat([value, Buffer.alloc(1)]);
    values.push(padded);
    end += padded.length;
  });
  u32(next, table.length - 4);
  return Buffer.concat([table, ...values]);
}

/**
 * The same TIFF file with entries added to its first directory, which is written anew at the end of the file; an EXIF
 * directory follows where `exif` is given. Entries of the same tag are replaced.
 * @throws RangeError where the bytes are no classic TIFF file or its directory cannot be kept whole.
 */
export async function addTiffEntries(
  file: Buffer,
  entries: readonly TiffEntry[],
  exif?: readonly TiffEntry[],
): Promise<Buffer> {
  const tiff = await readTiff(bufferSource(file));
  if (!tiff || tiff.main.skipped > 0) throw new RangeError('not a TIFF file whose directory can be extended');
  const { littleEndian, next } = tiff.main;
  const padding = Buffer.alloc(file.length % 2);
  const exifAt = file.length + padding.length;
  const exifBytes = exif ? encodeTiffDirectory(exif, exifAt, littleEndian) : Buffer.alloc(0);
  const added = exif ? [...entries, longEntry(tiffTag.exifDirectory, exifAt, littleEndian)] : entries;
  const replaced = new Set(added.map(({ tag }) => tag));
  const kept = tiff.main.entries.filter(({ tag }) => !replaced.has(tag));
  const mainAt = exifAt + exifBytes.length;
  const main = encodeTiffDirectory([...kept, ...added], mainAt, littleEndian, next);
  const head = Buffer.from(file.subarray(0, 8));
  longEntry(0, mainAt, littleEndian).value.copy(head, 4);
  return Buffer.concat([head, file.subarray(8), padding, exifBytes, main]);
}

export function longEntry(tag: number, value: number, littleEndian: boolean): TiffEntry {
  const bytes = Buffer.alloc(4);
  if (littleEndian) bytes.writeUInt32LE(value);
  else bytes.writeUInt32BE(value);
  return { tag, type: tiffType.long, count: 1, value: bytes };
}
