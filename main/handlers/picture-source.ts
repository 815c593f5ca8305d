import { resolve } from 'node:path';
import { ImpastoError } from '../../contract/errors.ts';
import type { PictureSource } from '../../contract/library.ts';
import type { Queue } from '../queue/queue.ts';
import type { HandlerContext } from './context.ts';

/** The file of a picture. @throws ImpastoError `NOT_IN_LIBRARY`, `JOB_NOT_FOUND`, `FILE_NOT_FOUND` */
export async function sourcePath(
  source: PictureSource,
  { queue, uploads, library }: Pick<HandlerContext, 'queue' | 'uploads' | 'library'>,
): Promise<string> {
  if ('path' in source) return resolve(source.path);
  if ('picture' in source) return library.pictures.get(source.picture).path;
  if ('upload' in source) return await uploads.path(source.upload);
  return jobPicturePath(queue, source.job, source.image);
}

/** @throws ImpastoError `JOB_NOT_FOUND`, `FILE_NOT_FOUND` */
export function jobPicturePath(queue: Queue, job: number, image: number): string {
  const picture = queue.get(job).pictures.find((candidate) => candidate.image === image);
  if (picture) return picture.path;
  throw new ImpastoError('FILE_NOT_FOUND', `Job ${job} has no picture ${image}.`, 'Wait until it is drawn.');
}
