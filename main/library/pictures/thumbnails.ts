import { createHash } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { asImpastoError, ImpastoError } from '../../../contract/errors.ts';
import { readError } from '../../../models/weights/file-errors.ts';
import { imageSize, maxPixels } from '../../engine/image/decode.ts';
import { writeFileAtomic } from '../files/atomic-write.ts';

/** Longest side in pixels. */
export const thumbnailSide = 256;
const atOnce = 2;
/** Seconds after which a picture is given up. */
const patience = 30;

/** Small WebP copies of pictures, made when they are first asked for and kept in a folder that may be deleted. */
export class Thumbnails {
  readonly #folder: string;
  readonly #making = new Map<string, Promise<string>>();
  #free = atOnce;
  readonly #waiting: (() => void)[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Path of a picture's thumbnail.
   * @throws ImpastoError `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `IMAGE_UNREADABLE`, `IMAGE_TOO_LARGE`, `DISK_FULL`,
   *   `WRITE_FAILED`
   */
  async get(picture: string): Promise<string> {
    const path = await this.#pathOf(picture);
    if (await exists(path)) return path;
    let making = this.#making.get(path);
    if (!making) {
      making = this.#make(picture, path).finally(() => this.#making.delete(path));
      this.#making.set(path, making);
    }
    return await making;
  }

  /** Deletes those of pictures that are not among these; how many. */
  async keepOnly(pictures: Iterable<string>): Promise<number> {
    const wanted = new Set<string>();
    for (const picture of pictures) {
      const path = await this.#pathOf(picture).catch(() => null);
      if (path) wanted.add(path);
    }
    let removed = 0;
    for (const shelf of await readdir(this.#folder).catch(() => [])) {
      for (const name of await readdir(join(this.#folder, shelf)).catch(() => [])) {
        const path = join(this.#folder, shelf, name);
        if (wanted.has(path) || !/^[0-9a-f]{32}\.webp$/.test(name)) continue;
        await rm(path, { force: true });
        removed += 1;
      }
    }
    return removed;
  }

  /** A picture of another size or time is another picture. */
  async #pathOf(picture: string): Promise<string> {
    try {
      const { size, mtimeMs } = await stat(picture);
      const key = createHash('sha256').update(`${picture}\0${size}\0${mtimeMs}`).digest('hex').slice(0, 32);
      return join(this.#folder, key.slice(0, 2), `${key}.webp`);
    } catch (thrown) {
      throw readError(thrown, picture);
    }
  }

  async #make(picture: string, path: string): Promise<string> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await writeFileAtomic(path, await shrink(picture), { overwrite: true });
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}

/**
 * @returns the picture as WebP of at most {@link thumbnailSide} a side
 * @throws ImpastoError `FILE_...`, `IMAGE_UNREADABLE`, `IMAGE_TOO_LARGE`
 */
export async function shrink(picture: string): Promise<Buffer> {
  await imageSize(picture);
  try {
    return await sharp(picture, { limitInputPixels: maxPixels, failOn: 'error', sequentialRead: true })
      .autoOrient()
      .resize(thumbnailSide, thumbnailSide, { fit: 'inside', withoutEnlargement: true })
      .toColourspace('srgb')
      .webp({ quality: 80 })
      .timeout({ seconds: patience })
      .toBuffer();
  } catch (thrown) {
    throw new ImpastoError(
      'IMAGE_UNREADABLE',
      `${picture} cannot be decoded: ${asImpastoError(thrown).message.split('\n')[0]}.`,
      'The file is broken or cut off: save or download it again.',
      { cause: thrown },
    );
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.size > 0,
    () => false,
  );
}
