import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { byteSize } from '../../../contract/byte-size.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import { readError } from '../../../models/weights/file-errors.ts';
import { type PictureFormat, pictureFormatOf } from '../../engine/image/picture-format.ts';
import { writeFileAtomic } from '../files/atomic-write.ts';
import { safeFileName } from '../files/file-name.ts';
import { shrink } from './thumbnails.ts';

/** A 16-bit PNG of the largest size that can be drawn has less. */
const largest = 512 * 1024 * 1024;

const extensions: Record<PictureFormat, string> = {
  png: '.png',
  jpeg: '.jpg',
  webp: '.webp',
  avif: '.avif',
  tiff: '.tiff',
  gif: '.gif',
};

/**
 * Copies a picture as it is, metadata and all, once it has been decoded: what is taken in can be shown.
 * @param name What to call it, without ending.
 * @param ofSize Paths of the library's pictures with as many bytes.
 * @returns where it lies, and whether it was there already
 * @throws ImpastoError `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `IMAGE_UNREADABLE`, `IMAGE_TOO_LARGE`, `DISK_FULL`,
 *   `WRITE_FAILED`
 */
export async function copyIntoLibrary(
  from: string,
  folder: string,
  name: string,
  ofSize: (bytes: number) => readonly string[],
): Promise<{ path: string; known: boolean }> {
  const format = await pictureFormatOf(from);
  const bytes = await readPictureFile(from);
  await shrink(from);
  const digest = sha256(bytes);
  for (const path of ofSize(bytes.length)) {
    const there = await readFile(path).catch(() => null);
    if (there && sha256(there) === digest) return { path, known: true };
  }
  // The ending says what the file is, whatever it was called.
  const file = safeFileName(name) + extensions[format];
  return { path: await writeFileAtomic(join(folder, file), bytes), known: false };
}

async function readPictureFile(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size <= largest) return await readFile(path);
  } catch (thrown) {
    throw readError(thrown, path);
  }
  throw new ImpastoError(
    'IMAGE_TOO_LARGE',
    `${path} is larger than ${byteSize(largest)}.`,
    'Save it smaller, or compressed.',
  );
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
