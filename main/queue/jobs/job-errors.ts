import { ImpastoError } from '../../../contract/errors.ts';

export function jobNotFound(id: number): ImpastoError {
  return new ImpastoError('JOB_NOT_FOUND', `There is no job ${id} in the queue.`, 'List the queue to see its jobs.');
}
