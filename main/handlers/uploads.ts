import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { byteSize } from '../../contract/byte-size.ts';
import { asImpastoError, ImpastoError } from '../../contract/errors.ts';
import { maxUploadBytes, type Upload, UploadId } from '../../contract/uploads.ts';
import { imageSize } from '../engine/image/decode.ts';
import { type PictureFormat, pictureFormatOf } from '../engine/image/picture-format.ts';

const extensions: Record<PictureFormat, string> = {
  png: 'png',
  jpeg: 'jpg',
  webp: 'webp',
  avif: 'avif',
  tiff: 'tif',
  gif: 'gif',
};

/** Pictures and masks that windows have handed over: one folder, each file named by what it holds. */
export class Uploads {
  readonly #folder: string;
  readonly #limit: number;

  constructor(folder: string, limit: number = maxUploadBytes) {
    this.#folder = folder;
    this.#limit = limit;
  }

  /**
   * Takes a picture in as it streams: a whole file under its final name, or nothing.
   * @throws ImpastoError `BODY_TOO_LARGE` as soon as it is, `IMAGE_UNREADABLE`, `IMAGE_TOO_LARGE`, `DISK_FULL`,
   *   `WRITE_FAILED`
   */
  async add(chunks: AsyncIterable<Uint8Array>): Promise<Upload> {
    const temporary = join(this.#folder, `.${randomBytes(8).toString('hex')}.tmp`);
    try {
      const { hash, bytes } = await this.#receive(chunks, temporary);
      const id = hash.slice(0, 32);
      const { format, width, height } = await this.#look(temporary);
      await rename(temporary, this.#named(id, format));
      return { id, format, width, height, bytes };
    } catch (thrown) {
      await unlink(temporary).catch(() => {});
      throw thrown;
    }
  }

  /** The file of an upload. @throws ImpastoError `FILE_NOT_FOUND` */
  async path(id: string): Promise<string> {
    if (UploadId.safeParse(id).success) {
      for (const format of Object.keys(extensions) as PictureFormat[]) {
        const path = this.#named(id, format);
        const found = await stat(path).catch(() => null);
        if (found?.isFile()) return path;
      }
    }
    throw new ImpastoError('FILE_NOT_FOUND', 'This upload is not there any more.', 'Upload the picture again.');
  }

  /** Removes what a crash left half-received. */
  async clean(): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    const left = names.filter((name) => /^\.[0-9a-f]{16}\.tmp$/.test(name));
    await Promise.all(left.map((name) => unlink(join(this.#folder, name)).catch(() => {})));
  }

  #named(id: string, format: PictureFormat): string {
    return join(this.#folder, `${id}.${extensions[format]}`);
  }

  async #receive(chunks: AsyncIterable<Uint8Array>, path: string): Promise<{ hash: string; bytes: number }> {
    const hash = createHash('sha256');
    let bytes = 0;
    await mkdir(this.#folder, { recursive: true }).catch((error) => Promise.reject(writeError(error)));
    const file = await open(path, 'wx').catch((error) => Promise.reject(writeError(error)));
    try {
      for await (const chunk of chunks) {
        bytes += chunk.length;
        if (bytes > this.#limit) throw tooLarge(this.#limit);
        hash.update(chunk);
        await file.writeFile(chunk).catch((error) => Promise.reject(writeError(error)));
      }
      await file.sync().catch((error) => Promise.reject(writeError(error)));
    } finally {
      await file.close();
    }
    return { hash: hash.digest('hex'), bytes };
  }

  /** Reads the header only: what is in it decides whether anything is ever decoded. */
  async #look(path: string): Promise<Pick<Upload, 'format' | 'width' | 'height'>> {
    try {
      return { format: await pictureFormatOf(path), ...(await imageSize(path)) };
    } catch (thrown) {
      // The sender knows nothing of the temporary name.
      const { code, message, remedy } = asImpastoError(thrown);
      throw new ImpastoError(code, message.replaceAll(path, 'What was uploaded'), remedy, { cause: thrown });
    }
  }
}

export function tooLarge(limit: number): ImpastoError {
  return new ImpastoError('BODY_TOO_LARGE', `That is more than ${byteSize(limit)}.`, 'Send a smaller file.');
}

function writeError(error: NodeJS.ErrnoException): ImpastoError {
  const full = error.code === 'ENOSPC' || error.code === 'EDQUOT';
  return new ImpastoError(
    full ? 'DISK_FULL' : 'WRITE_FAILED',
    full ? 'There is no room for the upload.' : `The upload could not be written: ${error.message}.`,
    full ? 'Free some space on the disk.' : "Check the permissions of Impasto's folder.",
    { cause: error },
  );
}
