import { setImmediate } from 'node:timers/promises';
import { ImpastoError } from '../../../contract/errors.ts';

export function cancelled(): ImpastoError {
  return new ImpastoError('CANCELLED', 'The job was cancelled.', 'Start it again when you like.');
}

/**
 * Lets the process read its messages: a run of a session blocks the thread, so a cancel that was sent meanwhile has not
 * been seen yet. To be awaited between steps.
 * @throws ImpastoError `CANCELLED` where the signal says so
 */
export async function nextTurn(signal?: AbortSignal): Promise<void> {
  // The first may still be of this turn of the event loop; a poll for messages lies between the two.
  await setImmediate();
  await setImmediate();
  if (signal?.aborted) throw cancelled();
}
