import { Command } from 'commander';
import { asImpastoError, ImpastoError } from '../../contract/errors.ts';
import type { Job } from '../../contract/queue.ts';
import { libraryWriter } from '../handlers/library-writer.ts';
import { Library } from '../library/library.ts';
import { impastoPaths } from '../queue/paths.ts';
import type { Queue } from '../queue/queue.ts';
import { EngineJobRunner } from '../queue/runner/engine-job-runner.ts';
import { QueueRunner } from '../queue/runner/queue-runner.ts';
import { createOutput, type Output } from './output.ts';
import { ProgressBar } from './progress.ts';
import { addQueueFlags, openQueue, tellState } from './queue-access.ts';
import { describe } from './queue-list.ts';

export function runCommand(): Command {
  const command = new Command('run')
    .description('draw what is in the queue, until it is empty')
    .option('--watch', 'then wait for more', false)
    .option('--resume', 'resume the queue where it is paused', false);
  return addQueueFlags(command).action(run);
}

async function run(options: Record<string, unknown>): Promise<void> {
  const output = createOutput(options.json === true);
  const queue = openQueue(options);
  const library = openLibrary(options, queue);
  const bars = output.json ? null : new QueueBars(output);
  const jobs = new EngineJobRunner({ onStart: (pid) => output.event({ type: 'engine', pid }) });
  const runner = new QueueRunner({
    queue,
    jobs,
    writer: libraryWriter,
    name: 'cli',
    onJob: (job, event) => {
      output.event({ type: event === 'start' ? 'started' : 'ended', job });
      bars?.job(job, event);
    },
  });
  let listed = Promise.resolve();
  const forget = queue.on((event) => {
    if (event.type === 'progress') bars?.progress(event.progress);
    if (event.type === 'progress' || event.type === 'picture') output.event({ ...event });
    if (event.type !== 'picture') return;
    bars?.line(event.picture.path);
    const { path } = event.picture;
    listed = listed.then(() => takeUp(library, path, output));
  });
  let began = false;
  let interrupted = false;
  const interrupt = () => {
    if (interrupted) process.exit(130);
    interrupted = true;
    bars?.line('stopping after this step; again to stop at once');
    void runner.stop();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    if (options.resume === true) queue.resume();
    refuseWherePaused(queue.state(), options.watch === true);
    tellState(queue, output);
    began = true;
    await runner.run({ untilEmpty: options.watch !== true });
  } finally {
    forget();
    bars?.stop();
    await runner.stop();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
    if (began) tellState(queue, output);
    await listed;
    library.close();
    queue.close();
  }
}

/** The library hears of each picture as it is drawn. */
function openLibrary(options: Record<string, unknown>, queue: Queue): Library {
  try {
    return new Library({ home: impastoPaths(options.home as string | undefined).home });
  } catch (thrown) {
    queue.close();
    throw thrown;
  }
}

/** The picture is safe already: that the library does not know of it is no reason to stop. */
async function takeUp(library: Library, path: string, output: Output): Promise<void> {
  try {
    await library.drew(path);
  } catch (thrown) {
    const { code, message } = asImpastoError(thrown);
    output.warning({ code, message });
  }
}

function refuseWherePaused({ paused, reason }: { paused: boolean; reason: string }, watch: boolean): void {
  if (!paused || watch) return;
  throw new ImpastoError('JOB_STATE', `The queue is paused: ${reason}`, 'Resume it: impasto queue run --resume.');
}

/** A line a job, and under it the bar of what is drawn. */
class QueueBars {
  readonly #output: Output;
  #bar: ProgressBar | null = null;

  constructor(output: Output) {
    this.#output = output;
  }

  job(job: Job, event: 'start' | 'end'): void {
    this.stop();
    if (event === 'start') {
      this.#output.line(describe(job));
      this.#bar = new ProgressBar();
    } else if (job.note) {
      this.#output.line(`        ${job.note}`);
    }
  }

  progress(progress: Parameters<ProgressBar['update']>[0]): void {
    this.#bar?.update(progress);
  }

  line(text: string): void {
    this.#output.line(text);
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = null;
  }
}
