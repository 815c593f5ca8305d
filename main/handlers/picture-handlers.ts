import { resolve } from 'node:path';
import { ImpastoError } from '../../contract/errors.ts';
import type { PictureSource } from '../../contract/routes.ts';
import { readMetadata } from '../library/metadata/read-metadata.ts';
import type { Queue } from '../queue/queue.ts';
import type { HandlerContext } from './context.ts';
import type { HandlersOf } from './handlers.ts';

export function pictureHandlers(context: Pick<HandlerContext, 'queue' | 'uploads'>): HandlersOf<'pictures'> {
  return {
    'pictures.metadata': async (source) => {
      const { request, infotext, model, warnings, ...found } = await readMetadata(await sourcePath(source, context));
      return {
        request: request ?? null,
        source: found.source ?? null,
        infotext: infotext ?? null,
        model: model ? { name: model.name ?? null, hash: model.hash ?? null } : null,
        warnings,
      };
    },
  };
}

async function sourcePath(
  source: PictureSource,
  { queue, uploads }: Pick<HandlerContext, 'queue' | 'uploads'>,
): Promise<string> {
  if ('path' in source) return resolve(source.path);
  if ('upload' in source) return await uploads.path(source.upload);
  return jobPicturePath(queue, source.job, source.image);
}

/** @throws ImpastoError `JOB_NOT_FOUND`, `FILE_NOT_FOUND` */
export function jobPicturePath(queue: Queue, job: number, image: number): string {
  const picture = queue.get(job).pictures.find((candidate) => candidate.image === image);
  if (picture) return picture.path;
  throw new ImpastoError('FILE_NOT_FOUND', `Job ${job} has no picture ${image}.`, 'Wait until it is drawn.');
}
