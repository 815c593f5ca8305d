import { inflateSync } from 'node:zlib';
import type { ByteSource } from '../files/byte-source.ts';
import { type PngChunk, readPngChunk, walkPngChunks } from './png-chunks.ts';

/** PNG's textual chunks (ISO/IEC 15948, 11.3.4): tEXt is Latin-1, zTXt the same deflated, iTXt UTF-8. */

/** The most bytes of one text, as stored and as inflated, and of all texts together. */
const maxTextBytes = 4 * 1024 * 1024;
const maxTotalBytes = 16 * 1024 * 1024;

export interface PngText {
  /** Text by keyword; the first where a keyword stands twice. */
  texts: Map<string, string>;
  /** Data of the eXIf chunk, a TIFF structure. */
  exif?: Buffer;
  /** What was skipped, and why. */
  warnings: string[];
}

/** A chunk that holds a text: tEXt where it is Latin-1 as PNG allows it, else iTXt. A NUL cannot be stored. */
export function pngTextChunk(keyword: string, text: string): PngChunk {
  const clean = text.replaceAll('\0', ' ').toWellFormed();
  if (/^[\n\x20-\x7e\xa0-\xff]*$/.test(clean)) {
    return { type: 'tEXt', data: Buffer.from(`${keyword}\0${clean}`, 'latin1') };
  }
  // Keyword, NUL, compression flag and method, then empty language and translated keyword.
  const head = Buffer.from(`${keyword}\0\0\0\0\0`, 'latin1');
  return { type: 'iTXt', data: Buffer.concat([head, Buffer.from(clean, 'utf8')]) };
}

/**
 * Reads the texts of a PNG, before or after its picture data. Whatever is broken is skipped with a warning.
 * @param enough Asked at the picture data with the texts till then: true ends the reading there, so that a large file
 *   need not be walked to its end.
 */
export async function readPngText(
  source: ByteSource,
  enough: (texts: ReadonlyMap<string, string>) => boolean = () => false,
): Promise<PngText> {
  const warnings: string[] = [];
  const texts = new Map<string, string>();
  let exif: Buffer | undefined;
  let total = 0;
  for await (const place of walkPngChunks(source, (message) => warnings.push(message))) {
    const { type, length } = place;
    if (type === 'IDAT' && enough(texts)) break;
    if (type !== 'tEXt' && type !== 'zTXt' && type !== 'iTXt' && type !== 'eXIf') continue;
    if (length > maxTextBytes || total > maxTotalBytes) {
      warnings.push(`A ${type} chunk of ${length} bytes is too large to be a picture's text: skipped.`);
      continue;
    }
    total += length;
    const data = await readPngChunk(source, place);
    if (!data) {
      warnings.push(`A ${type} chunk is damaged (its checksum is wrong): skipped.`);
    } else if (type === 'eXIf') {
      exif ??= Buffer.from(data);
    } else {
      const entry = parseText(type, data);
      if (typeof entry === 'string') warnings.push(entry);
      else {
        total += entry.text.length;
        if (!texts.has(entry.keyword)) texts.set(entry.keyword, entry.text);
      }
    }
  }
  return exif ? { texts, exif, warnings } : { texts, warnings };
}

/** Keyword and text of a chunk, or why it has none. */
function parseText(type: 'tEXt' | 'zTXt' | 'iTXt', data: Buffer): { keyword: string; text: string } | string {
  const end = data.indexOf(0);
  if (end < 1 || end > 79) return `A ${type} chunk has no valid keyword: skipped.`;
  const keyword = data.toString('latin1', 0, end);
  const broken = `The ${type} text "${keyword}" is broken: skipped.`;
  if (type === 'tEXt') return { keyword, text: data.toString('latin1', end + 1) };
  if (type === 'zTXt') {
    if (data[end + 1] !== 0) return broken;
    const inflated = inflate(data.subarray(end + 2));
    return inflated ? { keyword, text: inflated.toString('latin1') } : broken;
  }
  const [compressed, method] = [data[end + 1], data[end + 2]];
  const languageEnd = data.indexOf(0, end + 3);
  const translatedEnd = languageEnd < 0 ? -1 : data.indexOf(0, languageEnd + 1);
  if (translatedEnd < 0 || method !== 0 || (compressed !== 0 && compressed !== 1)) return broken;
  const body = data.subarray(translatedEnd + 1);
  const utf8 = compressed === 1 ? inflate(body) : body;
  return utf8 ? { keyword, text: utf8.toString('utf8') } : broken;
}

/** Undefined where the data are no zlib stream or inflate to more than a text may hold. */
function inflate(data: Buffer): Buffer | undefined {
  try {
    return inflateSync(data, { maxOutputLength: maxTextBytes });
  } catch {
    return undefined;
  }
}
