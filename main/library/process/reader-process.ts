import { constants, setPriority } from 'node:os';
import { asImpastoError } from '../../../contract/errors.ts';
import { hashFile } from '../models/hash-file.ts';
import { identifyModel } from '../models/identify-model.ts';
import { readSidecars } from '../models/sidecar-files.ts';
import type { ReaderAnswer, ReaderCommand, ReaderTasks } from './reader-protocol.ts';

/**
 * A process that reads other people's files: headers by the thousand, and whole models for their hashes. Apart from the
 * app, so that neither a long reading nor a file that ends the reader is felt there; it gives way to whoever draws.
 */

try {
  setPriority(
    process.env.IMPASTO_READER === 'low' ? constants.priority.PRIORITY_LOW : constants.priority.PRIORITY_BELOW_NORMAL,
  );
} catch {
  // Some systems forbid it; it works without.
}

process.on('message', async (command: ReaderCommand) => {
  let answer: ReaderAnswer;
  try {
    answer = { id: command.id, ok: true, output: await run(command) };
  } catch (thrown) {
    answer = { id: command.id, ok: false, error: asImpastoError(thrown).toRecord() };
  }
  process.send?.(answer);
});
process.on('disconnect', () => process.exit(0));

async function run({ task, input }: ReaderCommand): Promise<ReaderTasks[keyof ReaderTasks]['output']> {
  if (task === 'hash') return await hashFile(input.path);
  const model = input as ReaderTasks['identify']['input'];
  const [facts, sidecar] = await Promise.all([identifyModel(model), readSidecars(model.sidecars)]);
  return { facts, sidecar };
}
