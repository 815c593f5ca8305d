import { parentPort } from 'node:worker_threads';
import { asImpastoError } from '../../../contract/errors.ts';
import type { ToThread } from './background.ts';
import { work } from './work.ts';

/** The thread's side: does one thing after the other. */
let last: Promise<void> = Promise.resolve();

parentPort?.on('message', (message: ToThread) => {
  last = last.then(() => answer(message));
});

async function answer({ id, name, input }: ToThread): Promise<void> {
  try {
    const output = await (work[name] as (given: unknown) => Promise<unknown>)(input);
    parentPort?.postMessage({ id, output });
  } catch (thrown) {
    const error = asImpastoError(thrown);
    const stack = error.code === 'INTERNAL' ? String((error.cause as Error | undefined)?.stack ?? error.stack) : '';
    parentPort?.postMessage({ id, error: error.toRecord(), stack });
  }
}
