import { Command } from 'commander';
import { ImpastoError } from '../../contract/errors.ts';
import type { Place } from '../../contract/queue.ts';
import { addQueueFlags, jobIds, tellState, withQueue } from './queue-access.ts';
import { addCommand } from './queue-add.ts';
import { editCommand } from './queue-edit.ts';
import { listCommand, logCommand, showCommand } from './queue-list.ts';
import { runCommand } from './queue-run.ts';

/** `impasto queue ...`: the same queue as the window's, without one. */
export function queueCommand(): Command {
  return new Command('queue')
    .description('the queue of jobs, shared with the window')
    .addCommand(addCommand())
    .addCommand(editCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(logCommand())
    .addCommand(runCommand())
    .addCommand(
      change('pause', '[id...]', 'hold jobs back; without ids the whole queue, after the picture under way')
        .option('--now', 'stop at the next step', false)
        .action((ids: string[], options: ChangeOptions) =>
          withQueue(options, (queue, output) => {
            queue.pause(ids.length > 0 ? { ids: jobIds(ids) } : { now: options.now === true });
            tellState(queue, output);
          }),
        ),
    )
    .addCommand(
      change('resume', '[id...]', 'go on with paused jobs; without ids with the whole queue').action(
        (ids: string[], options: ChangeOptions) =>
          withQueue(options, (queue, output) => {
            queue.resume(ids.length > 0 ? { ids: jobIds(ids) } : {});
            tellState(queue, output);
          }),
      ),
    )
    .addCommand(
      change('cancel', '[id...]', 'cancel jobs; finished pictures are kept')
        .option('--all', 'all that are not finished', false)
        .action((ids: string[], options: ChangeOptions) =>
          withQueue(options, (queue, output) => {
            if (ids.length === 0 && options.all !== true) {
              throw new ImpastoError('REQUEST_INVALID', 'Cancel which job?', 'Give its id, or --all.');
            }
            queue.cancel(options.all === true ? { all: true } : { ids: jobIds(ids) });
            tellState(queue, output);
          }),
        ),
    )
    .addCommand(
      change('front', '<id...>', 'draw these next').action((ids: string[], options: ChangeOptions) =>
        withQueue(options, (queue, output) => {
          queue.front(jobIds(ids));
          tellState(queue, output);
        }),
      ),
    )
    .addCommand(
      change('move', '<id...>', 'move jobs within the queue')
        .option('--before <id>', 'in front of this job')
        .option('--after <id>', 'behind this job')
        .option('--end', 'to the end', false)
        .action((ids: string[], options: ChangeOptions) =>
          withQueue(options, (queue, output) => {
            queue.reorder({ ids: jobIds(ids), place: placeOf(options) });
            tellState(queue, output);
          }),
        ),
    )
    .addCommand(
      change('duplicate', '<id...>', 'add copies at the end').action((ids: string[], options: ChangeOptions) =>
        withQueue(options, (queue, output) => {
          const copies = queue.duplicate({ ids: jobIds(ids) });
          output.event({ type: 'added', ids: copies.map(({ id }) => id) });
          output.line(`added ${copies.map(({ id }) => id).join(', ')}`);
        }),
      ),
    )
    .addCommand(
      change('retry', '<id...>', 'draw failed, cancelled or set aside jobs again').action(
        (ids: string[], options: ChangeOptions) =>
          withQueue(options, (queue, output) => {
            queue.retry({ ids: jobIds(ids) });
            tellState(queue, output);
          }),
      ),
    )
    .addCommand(
      change('clear', '', 'take done and cancelled jobs off the list; their pictures stay')
        .option('--failed', 'failed and set aside ones too', false)
        .action((options: ChangeOptions) =>
          withQueue(options, (queue, output) => {
            const states = ['done', 'cancelled', ...(options.failed === true ? ['failed', 'set-aside'] : [])] as const;
            const cleared = queue.clear({ states: states as unknown as ('done' | 'cancelled')[] });
            output.event({ type: 'cleared', count: cleared });
            output.line(`${cleared} ${cleared === 1 ? 'job' : 'jobs'} cleared`);
          }),
        ),
    );
}

type ChangeOptions = Record<string, unknown>;

function change(name: string, ids: string, description: string): Command {
  const command = new Command(name).description(description);
  if (ids) command.argument(ids, 'ids of jobs');
  return addQueueFlags(command);
}

function placeOf({ before, after, end }: ChangeOptions): Place {
  const given = [before, after, end === true ? 'end' : undefined].filter((value) => value !== undefined);
  if (given.length !== 1) {
    throw new ImpastoError('REQUEST_INVALID', 'Move them where?', 'Give one of --before ID, --after ID and --end.');
  }
  if (before !== undefined) return { before: jobIds([String(before)])[0] as number };
  if (after !== undefined) return { after: jobIds([String(after)])[0] as number };
  return 'end';
}
