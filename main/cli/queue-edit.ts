import { resolve } from 'node:path';
import { Command } from 'commander';
import { ImpastoError } from '../../contract/errors.ts';
import { mapRequestPaths } from '../../contract/request-paths.ts';
import { addAdapterFlags } from './adapter-flags.ts';
import { requestWithFlags } from './draw.ts';
import { addOutputFlags, outputWithFlags } from './output-flags.ts';
import { addQueueFlags, jobIds, withQueue } from './queue-access.ts';
import { describe } from './queue-list.ts';
import { addRequestFlags } from './request-flags.ts';

export function editCommand(): Command {
  const command = new Command('edit')
    .description('change what a job will draw that has not begun: what is not given stays as it is')
    .argument('<id>', 'id of the job')
    .argument('[prompt]', 'what to draw instead');
  return addAdapterFlags(addRequestFlags(addOutputFlags(addQueueFlags(command), undefined))).action(edit);
}

async function edit(
  id: string,
  prompt: string | undefined,
  options: Record<string, unknown>,
  command: Command,
): Promise<void> {
  const given = command.options.filter((option) => command.getOptionValueSource(option.attributeName()) === 'cli');
  const flags = given.map((option) => option.attributeName()).filter((name) => name !== 'home' && name !== 'json');
  if (prompt === undefined && flags.length === 0) {
    throw new ImpastoError('REQUEST_INVALID', 'Change what of it?', 'Give a new prompt or a flag, e.g. --steps 30.');
  }
  await withQueue(options, async (queue, said) => {
    const [number] = jobIds([id]) as [number];
    const before = queue.get(number);
    const output = outputWithFlags(before.output, options, flags);
    // The sheet of a grid has no request of its own to change.
    const request =
      before.kind === 'sheet' && prompt === undefined
        ? undefined
        : await mapRequestPaths(await requestWithFlags(before.request, prompt, options, said), (path) => resolve(path));
    const job = queue.edit({ id: number, output, ...(request ? { request } : {}) });
    said.event({ type: 'job', job });
    said.line(describe(job));
  });
}
