import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { ImpastoError } from '../../contract/errors.ts';
import type { BatchInput, GridAxis } from '../../contract/queue.ts';
import type { RenderRequest } from '../../contract/request.ts';
import { mapRequestPaths } from '../../contract/request-paths.ts';
import { impastoPaths } from '../queue/paths.ts';
import { addAdapterFlags } from './adapter-flags.ts';
import { requestOf } from './draw.ts';
import { addOutputFlags, outputFromFlags } from './output-flags.ts';
import { addQueueFlags, tellState, withQueue } from './queue-access.ts';
import { addRequestFlags } from './request-flags.ts';

export function addCommand(): Command {
  const command = new Command('add')
    .description('add a job, or many at once')
    .argument('[prompt]', 'what to draw')
    .option('--like <picture>', "take every setting from a picture's metadata; flags given here override it")
    .option('--front', 'draw it next', false)
    .option('--seeds <count>', 'one job for each of so many seeds')
    .addOption(new Option('--seed-order <order>').choices(['consecutive', 'random']).default('consecutive'))
    .option('--csv <file>', 'one job a row; the header names fields, e.g. prompt,seed,guidance.scale')
    .option('--init-folder <folder>', 'one job for each picture of a folder, to start from')
    .option('--wildcards [folder]', 'fill in __name__ from text files of a folder, and {a|b|c}')
    .option('--grid-x <field=values>', 'a grid, e.g. "steps=10,20,30", or "prompt:cat=dog,bird" to replace words')
    .option('--grid-y <field=values>', 'its rows; values with commas are separated by | instead')
    .option('--grid-z <field=values>', 'its blocks');
  return addAdapterFlags(addRequestFlags(addOutputFlags(addQueueFlags(command), undefined))).action(add);
}

function add(prompt: string | undefined, options: Record<string, unknown>): Promise<void> {
  return withQueue(options, async (queue, said) => {
    const paths = impastoPaths(options.home as string | undefined);
    const output = outputFromFlags(options, paths.pictures);
    // The window, which draws the same queue, stands in another folder.
    const request = await mapRequestPaths(await requestOf(prompt, options, said), (path) => resolve(path));
    const batch = batchOf(request, options, paths.wildcards);
    const place = options.front === true ? 'front' : 'end';
    const jobs = batch
      ? await queue.addBatch({ batch, output, place })
      : queue.add({ requests: [request], output, place });
    said.event({ type: 'added', ids: jobs.map(({ id }) => id) });
    said.line(jobs.length === 1 ? `added job ${jobs[0]?.id}` : `added ${jobs.length} jobs`);
    tellState(queue, said);
  });
}

/** What many jobs are made from; null where it is one job as it is. */
function batchOf(request: RenderRequest, options: Record<string, unknown>, wildcards: string): BatchInput | null {
  const { seeds, csv, initFolder, gridX, gridY, gridZ } = options;
  if (gridX === undefined && (gridY !== undefined || gridZ !== undefined)) {
    throw new ImpastoError('REQUEST_INVALID', 'A grid begins with --grid-x.', 'Give --grid-x too.');
  }
  if ([seeds, csv, initFolder, gridX, options.wildcards].every((option) => option === undefined)) return null;
  return {
    request,
    ...(seeds === undefined
      ? {}
      : { seeds: { count: Number(seeds), order: options.seedOrder as 'consecutive' | 'random' } }),
    ...(csv === undefined ? {} : { csv: { path: resolve(String(csv)) } }),
    ...(initFolder === undefined ? {} : { initFolder: { path: resolve(String(initFolder)) } }),
    ...(options.wildcards === undefined
      ? {}
      : { wildcards: { folder: options.wildcards === true ? wildcards : resolve(String(options.wildcards)) } }),
    ...(gridX === undefined
      ? {}
      : {
          grid: {
            x: axisOf(String(gridX)),
            ...(gridY === undefined ? {} : { y: axisOf(String(gridY)) }),
            ...(gridZ === undefined ? {} : { z: axisOf(String(gridZ)) }),
          },
        }),
  };
}

/** `field=1,2,3`, `field=a|b|c` or `field:words=a,b`. */
export function axisOf(text: string): GridAxis {
  const match = /^([\w.]+)(?::([^=]+))?=(.+)$/su.exec(text);
  if (!match) {
    throw new ImpastoError('REQUEST_INVALID', `${text} is no axis of a grid.`, 'Write e.g. steps=10,20,30.');
  }
  const [, field, replace, list] = match as unknown as [string, string, string | undefined, string];
  const values = list.split(list.includes('|') ? '|' : ',').map((value) => value.trim());
  return { field, values, ...(replace === undefined ? {} : { replace }) };
}
