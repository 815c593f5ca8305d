import { createReadStream, type ReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { asImpastoError } from '../../contract/errors.ts';
import { type PictureFormat, pictureFormatOf } from '../engine/image/picture-format.ts';
import type { Queue } from '../queue/queue.ts';
import { jobPicturePath } from './picture-handlers.ts';
import type { Uploads } from './uploads.ts';

/** A file that may be fetched by its URL. */
export interface Resource {
  path: string;
  contentType: string;
  bytes: number;
  /** Changes when the file does. */
  etag: string;
}

const contentTypes: Record<PictureFormat, string> = {
  png: 'image/png',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  avif: 'image/avif',
  tiff: 'image/tiff',
  gif: 'image/gif',
};

/** Finds the files behind `contract/resources.ts`. A URL holds ids only, so none can lead to another file. */
export class Resources {
  readonly #queue: Queue;
  readonly #uploads: Uploads;

  constructor(queue: Queue, uploads: Uploads) {
    this.#queue = queue;
    this.#uploads = uploads;
  }

  /** @param pathname of the URL, as it came, not decoded; null where there is nothing */
  async find(pathname: string): Promise<Resource | null> {
    try {
      const path = await this.#path(pathname);
      if (path === null) return null;
      // By its content: a file that is no picture is not handed out, whatever its name.
      const contentType = contentTypes[await pictureFormatOf(path)];
      const { size, mtimeMs } = await stat(path);
      return { path, contentType, bytes: size, etag: `"${size.toString(36)}-${Math.floor(mtimeMs).toString(36)}"` };
    } catch (thrown) {
      if (notThere.has(asImpastoError(thrown).code)) return null;
      throw thrown;
    }
  }

  async #path(pathname: string): Promise<string | null> {
    const picture = /^\/jobs\/([1-9]\d{0,14})\/pictures\/(\d{1,9})$/.exec(pathname);
    if (picture) return jobPicturePath(this.#queue, Number(picture[1]), Number(picture[2]));
    const upload = /^\/uploads\/([0-9a-f]{32})$/.exec(pathname);
    if (upload) return await this.#uploads.path(upload[1] as string);
    return null;
  }
}

const notThere = new Set<string>(['JOB_NOT_FOUND', 'FILE_NOT_FOUND', 'FILE_UNREADABLE', 'IMAGE_UNREADABLE']);

export function readResource({ path }: Resource): ReadStream {
  return createReadStream(path);
}
