import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { ImpastoError } from '../../../contract/errors.ts';

export type PictureFormat = 'png' | 'jpeg' | 'webp' | 'avif' | 'tiff' | 'gif';

/**
 * The format by a file's first bytes (32 are enough); undefined for anything else. Only these are handed to the
 * decoder, so that no vector or document format is ever interpreted.
 */
export function sniffPicture(head: Uint8Array): PictureFormat | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1');
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'webp';
  if (text.slice(4, 8) === 'ftyp' && /avif|avis|mif1|miaf/.test(text.slice(8, 32))) return 'avif';
  if (text.startsWith('II*\0') || text.startsWith('MM\0*') || text.startsWith('II+\0') || text.startsWith('MM\0+')) {
    return 'tiff';
  }
  if (text.startsWith('GIF8')) return 'gif';
  return undefined;
}

/**
 * The format of a picture file.
 * @throws ImpastoError `FILE_NOT_FOUND`, `FILE_UNREADABLE` or, where it is no picture, `IMAGE_UNREADABLE`.
 */
export async function pictureFormatOf(path: string): Promise<PictureFormat> {
  const head = await readHead(path);
  const format = sniffPicture(head);
  if (format) return format;
  throw new ImpastoError(
    'IMAGE_UNREADABLE',
    `${path} is not a picture that Impasto reads${head.length === 0 ? ': it is empty' : ''}.`,
    'Use a PNG, JPEG, WebP, AVIF, TIFF or GIF file.',
  );
}

async function readHead(path: string): Promise<Buffer> {
  try {
    // Non-blocking: opening a named pipe for reading must not wait for its writer.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw new Error(stats.isDirectory() ? 'it is a folder' : 'it is no plain file');
      const { buffer, bytesRead } = await file.read(Buffer.alloc(32), 0, 32, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new ImpastoError('FILE_NOT_FOUND', `There is no picture at ${path}.`, 'Check the path.', { cause: error });
    }
    const why = code === 'EISDIR' ? 'it is a folder' : (error as Error).message;
    throw new ImpastoError(
      'FILE_UNREADABLE',
      `${path} cannot be read: ${why}.`,
      'Check the path and its permissions.',
      {
        cause: error,
      },
    );
  }
}
