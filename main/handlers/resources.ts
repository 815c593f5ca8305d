import { createReadStream, type ReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { asImpastoError } from '../../contract/errors.ts';
import { type PictureFormat, pictureFormatOf } from '../engine/image/picture-format.ts';
import type { HandlerContext } from './context.ts';
import { jobPicturePath } from './picture-source.ts';

/** A file that may be fetched by its URL. */
export interface Resource {
  path: string;
  contentType: string;
  bytes: number;
  /** Changes when the file does. */
  etag: string;
  /** As the library's entry has it; null where the URL can have none. */
  version: string | null;
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
  readonly #context: Pick<HandlerContext, 'queue' | 'uploads' | 'library'>;

  constructor(context: Pick<HandlerContext, 'queue' | 'uploads' | 'library'>) {
    this.#context = context;
  }

  /** @param pathname of the URL, as it came, not decoded; null where there is nothing */
  async find(pathname: string): Promise<Resource | null> {
    try {
      const found = await this.#find(pathname);
      if (found === null) return null;
      const { path, version = null } = found;
      // By its content: a file that is no picture is not handed out, whatever its name.
      const contentType = contentTypes[await pictureFormatOf(path)];
      const { size, mtimeMs } = await stat(path);
      const etag = `"${size.toString(36)}-${Math.floor(mtimeMs).toString(36)}"`;
      return { path, contentType, bytes: size, etag, version };
    } catch (thrown) {
      if (notThere.has(asImpastoError(thrown).code)) return null;
      throw thrown;
    }
  }

  async #find(pathname: string): Promise<{ path: string; version?: string } | null> {
    const { queue, uploads, library } = this.#context;
    const drawn = /^\/jobs\/([1-9]\d{0,14})\/pictures\/(\d{1,9})$/.exec(pathname);
    if (drawn) return { path: jobPicturePath(queue, Number(drawn[1]), Number(drawn[2])) };
    const upload = /^\/uploads\/([0-9a-f]{32})$/.exec(pathname);
    if (upload) return { path: await uploads.path(upload[1] as string) };
    const picture = /^\/(pictures|thumbnails)\/([1-9]\d{0,14})$/.exec(pathname);
    if (picture) {
      const { id, path, version } = library.pictures.get(Number(picture[2]));
      return { path: picture[1] === 'pictures' ? path : await library.pictures.thumbnail(id), version };
    }
    const model = /^\/models\/([0-9a-f]{32})\/preview$/.exec(pathname);
    const preview = model && library.models.preview(model[1] as string);
    // Whatever lies beside a model is made small first: some are posters of many megabytes.
    return preview && { path: await library.pictures.thumbnails.get(preview.path), version: preview.version };
  }
}

const notThere = new Set<string>([
  ...['JOB_NOT_FOUND', 'NOT_IN_LIBRARY', 'FILE_NOT_FOUND', 'FILE_UNREADABLE', 'IMAGE_UNREADABLE', 'IMAGE_TOO_LARGE'],
]);

export function readResource({ path }: Resource): ReadStream {
  return createReadStream(path);
}
