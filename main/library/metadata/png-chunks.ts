import { crc32 } from 'node:zlib';
import { type ByteSource, bufferSource } from '../files/byte-source.ts';

/** PNG's container (ISO/IEC 15948, 5): a signature, then chunks of length, type, data and CRC. */

export const pngSignature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

/** The most chunks that are walked over; a real file has some ten thousand at most. */
const maxChunks = 1_000_000;

export interface PngChunk {
  type: string;
  data: Buffer;
}

/** One chunk's place: its data lies at [offset, offset + length), its CRC after them. */
export interface PngChunkPlace {
  type: string;
  offset: number;
  length: number;
}

/**
 * Walks over the chunks up to IEND without reading their data. Ends early, saying why, where a length runs past the
 * end or the file has no end.
 */
export async function* walkPngChunks(
  source: ByteSource,
  warn: (message: string) => void,
): AsyncGenerator<PngChunkPlace> {
  let at = pngSignature.length;
  for (let index = 0; index < maxChunks; index++) {
    const header = await source.read(at, 8);
    if (header.length < 8) return warn('The PNG ends before its end mark: it was cut off.');
    const length = header.readUInt32BE(0);
    const type = header.toString('latin1', 4, 8);
    if (at + 12 + length > source.size) return warn(`The PNG is cut off or broken: a chunk runs past its end.`);
    yield { type, offset: at + 8, length };
    if (type === 'IEND') return;
    at += 12 + length;
  }
  warn('The PNG has an absurd number of chunks: the rest was not read.');
}

/** A chunk's data, or undefined where its CRC is wrong. */
export async function readPngChunk(source: ByteSource, place: PngChunkPlace): Promise<Buffer | undefined> {
  const bytes = await source.read(place.offset, place.length + 4);
  const data = bytes.subarray(0, place.length);
  const crc = crc32(data, crc32(place.type));
  return bytes.length === place.length + 4 && bytes.readUInt32BE(place.length) === crc ? data : undefined;
}

/**
 * The same PNG with chunks added: `early` ones straight after IHDR (a colour profile must stand before the palette),
 * `late` ones straight before the first IDAT, where every reader finds them.
 * @throws RangeError where the bytes are no PNG with picture data.
 */
export async function insertPngChunks(
  png: Buffer,
  { early = [], late = [] }: { early?: readonly PngChunk[]; late?: readonly PngChunk[] },
): Promise<Buffer> {
  let headerEnd = 0;
  for await (const { type, offset, length } of walkPngChunks(bufferSource(png), () => {})) {
    if (type === 'IHDR') headerEnd = offset + length + 4;
    if (type !== 'IDAT' || headerEnd === 0) continue;
    const dataStart = offset - 8;
    const before = [png.subarray(0, headerEnd), ...early.map(encodeChunk), png.subarray(headerEnd, dataStart)];
    return Buffer.concat([...before, ...late.map(encodeChunk), png.subarray(dataStart)]);
  }
  throw new RangeError('not a PNG with picture data');
}

function encodeChunk({ type, data }: PngChunk): Buffer {
  const chunk = Buffer.alloc(data.length + 12);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(type, 4, 'latin1');
  data.copy(chunk, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, data.length + 8)), data.length + 8);
  return chunk;
}
