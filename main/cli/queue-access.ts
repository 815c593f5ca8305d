import type { Command } from 'commander';
import { ImpastoError } from '../../contract/errors.ts';
import { impastoPaths } from '../queue/paths.ts';
import { Queue } from '../queue/queue.ts';
import { createOutput, type Output } from './output.ts';

/** The flags of every command that looks at the queue or changes it. */
export function addQueueFlags(command: Command): Command {
  return command.option('--home <folder>', "folder of Impasto's data").option('--json', 'speak in JSON lines', false);
}

/** The queue of `--home`, IMPASTO_HOME or the system's folder for data. */
export function openQueue(options: Record<string, unknown>): Queue {
  return new Queue({ path: impastoPaths(options.home as string | undefined).queue });
}

/** Opens the queue, and closes it after `work`. */
export function withQueue<Result>(
  options: Record<string, unknown>,
  work: (queue: Queue, output: Output) => Result,
): Result {
  const output = createOutput(options.json === true);
  const queue = openQueue(options);
  let result: Result;
  try {
    result = work(queue, output);
  } catch (error) {
    queue.close();
    throw error;
  }
  if (result instanceof Promise) return result.finally(() => queue.close()) as Result;
  queue.close();
  return result;
}

/** @throws {ImpastoError} REQUEST_INVALID for a text that is no id. */
export function jobIds(texts: readonly string[]): number[] {
  return texts.map((text) => {
    if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
    throw new ImpastoError('REQUEST_INVALID', `${text} is not the id of a job.`, 'See impasto queue list.');
  });
}

/** Says how the queue stands. */
export function tellState(queue: Queue, output: Output): void {
  const state = queue.state();
  output.event({ type: 'queue', state });
  const counts = Object.entries(state.counts).filter(([, count]) => count > 0);
  output.line(counts.map(([name, count]) => `${count} ${name}`).join(', ') || 'the queue is empty');
  if (state.paused) output.line(`paused: ${state.reason}`);
}
