import { Command, Option } from 'commander';
import { type Job, type JobState, jobStates, waitingStates } from '../../contract/queue.ts';
import { addQueueFlags, jobIds, tellState, withQueue } from './queue-access.ts';

export function listCommand(): Command {
  const command = new Command('list')
    .description('list jobs in the order in which they will be drawn')
    .addOption(new Option('--state <state...>', 'only jobs in these states').choices([...jobStates]))
    .option('--all', 'ended jobs too', false)
    .option('--text <words>', 'only jobs whose prompt has these words')
    .option('--limit <count>', 'at most so many', '50')
    .option('--offset <count>', 'leave out so many first', '0');
  return addQueueFlags(command).action(list);
}

function list(options: Record<string, unknown>): void {
  withQueue(options, (queue, output) => {
    const states = (options.state as JobState[] | undefined) ?? (options.all === true ? [...jobStates] : waiting);
    const { jobs, total } = queue.list({
      states,
      limit: Number(options.limit),
      offset: Number(options.offset),
      ...(typeof options.text === 'string' ? { text: options.text } : {}),
    });
    for (const job of jobs) {
      output.event({ type: 'job', job });
      output.line(describe(job));
      if (job.note) output.line(`        ${job.note}`);
    }
    if (total > jobs.length) output.line(`${jobs.length} of ${total} shown (--limit, --offset)`);
    tellState(queue, output);
  });
}

const waiting: JobState[] = [...waitingStates, 'failed', 'set-aside'];

/** A job in one line. */
export function describe(job: Job): string {
  const { id, state, request, pictures, wanted, kind } = job;
  // In one line, whatever it holds: a line break in it could pass for another job.
  const prompt = kind === 'sheet' ? 'the sheet of a grid' : request.prompt.replace(/\s+/g, ' ') || '(no prompt)';
  const shown = prompt.length > 60 ? `${prompt.slice(0, 59)}…` : prompt;
  const size = request.width && request.height ? ` ${request.width}x${request.height}` : '';
  const done = wanted > 1 ? ` ${pictures.length}/${wanted}` : '';
  return `${String(id).padStart(6)}  ${state.padEnd(9)}${done} ${shown} (seed ${request.seed}, ${request.steps} steps${size})`;
}

export function showCommand(): Command {
  const command = new Command('show')
    .description('all that is known of a job: its settings, pictures, warnings and error')
    .argument('<id>', 'id of the job');
  return addQueueFlags(command).action((id: string, options: Record<string, unknown>) =>
    withQueue(options, (queue, output) => {
      const job = queue.get((jobIds([id]) as [number])[0]);
      output.event({ type: 'job', job });
      output.line(describe(job));
      if (job.note) output.line(job.note);
      if (job.error) output.line(`${job.error.message} ${job.error.remedy} (${job.error.code})`);
      for (const { message } of job.warnings) output.line(`! ${message}`);
      for (const { path } of job.pictures) output.line(path);
      for (const line of JSON.stringify(job.request, null, 2).split('\n')) output.line(line);
    }),
  );
}

export function logCommand(): Command {
  const command = new Command('log')
    .description('what the engine last wrote before it died over a job')
    .argument('<id>', 'id of the job');
  return addQueueFlags(command).action((id: string, options: Record<string, unknown>) =>
    withQueue(options, (queue, output) => {
      const [job] = jobIds([id]) as [number];
      const log = queue.log(job);
      output.event({ type: 'log', id: job, log });
      for (const line of log.trimEnd().split('\n')) output.line(line);
    }),
  );
}
