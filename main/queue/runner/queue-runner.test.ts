import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Job } from '../../../contract/queue.ts';
import type { RenderRequestInput } from '../../../contract/request.ts';
import { libraryWriter } from '../../handlers/library-writer.ts';
import { readMetadata } from '../../library/metadata/read-metadata.ts';
import type { Queue } from '../queue.ts';
import { openQueue, output, request, temporaryFolder } from '../test-support.ts';
import { EngineJobRunner } from './engine-job-runner.ts';
import { QueueRunner } from './queue-runner.ts';

const engineModule = new URL('../crash/stand-in-engine.ts', import.meta.url);

/** A queue, a real engine process with the stand-in in it, real files. */
function studio(step = 2) {
  const folder = temporaryFolder();
  const queue = openQueue(folder);
  const pictures = join(folder, 'pictures');
  const pids: (number | undefined)[] = [];
  const jobs = new EngineJobRunner({
    engineModule,
    env: { ...process.env, STAND_IN_STEP: String(step) },
    onStart: (pid) => pids.push(pid),
  });
  const start = () => {
    const runner = new QueueRunner({ queue, jobs, writer: libraryWriter, name: 'test' });
    onTestFinished(() => runner.stop());
    return runner;
  };
  const add = (prompt: string, input: RenderRequestInput = {}): number => {
    const made = request({ steps: 3, seed: 1000 + queue.list().total * 100, ...input, prompt });
    return (queue.add({ requests: [made], output: output(pictures) })[0] as Job).id;
  };
  const files = () => (existsSync(pictures) ? readdirSync(pictures).sort() : []);
  return { folder, queue, pictures, pids, jobs, start, add, files };
}

/** Resolves when the queue has come to where it is wanted. */
function until(queue: Queue, reached: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = queue.on(() => {
      if (!reached()) return;
      stop();
      resolve();
    });
    if (reached()) {
      stop();
      resolve();
    }
  });
}

describe('a runner', () => {
  it('ten jobs reordered, paused, resumed, the engine killed mid-way: ten pictures, in order', async () => {
    const { queue, start, add, files, pids, pictures } = studio();
    const ids = Array.from({ length: 10 }, (_, index) => add(`number ${index}`, { seed: index, steps: 8 }));
    queue.front([ids[9] as number]);
    queue.reorder({ ids: [ids[0] as number], place: { after: ids[5] as number } });
    queue.pause({ ids: [ids[3] as number] });
    queue.pause();
    const finished: number[] = [];
    queue.on((event) => {
      if (event.type === 'picture') finished.push(event.id);
    });
    const runner = start();
    void runner.run();
    queue.resume();
    await until(queue, () => finished.length === 2);
    queue.pause();
    await until(queue, () => queue.state().counts.running === 0);
    const held = finished.length;
    queue.resume();
    queue.resume({ ids: [ids[3] as number] });
    // Mid-way in the middle of a picture.
    await new Promise<void>((resolve) => {
      queue.on((event) => {
        if (event.type === 'progress' && event.progress.step === 4 && pids.length === 1) resolve();
      });
    });
    process.kill(pids[0] as number, 'SIGKILL');
    await until(queue, () => queue.state().counts.done === 10);
    expect(held).toBeLessThan(10);
    expect(pids).toHaveLength(2);
    expect(finished).toEqual([9, 1, 2, 3, 4, 5, 0, 6, 7, 8].map((index) => ids[index]));
    expect(files()).toEqual(Array.from({ length: 10 }, (_, index) => `${index}.png`));
    for (const index of ids.keys()) {
      const { request } = await readMetadata(join(pictures, `${index}.png`));
      expect(request).toMatchObject({ prompt: `number ${index}`, seed: index, batch: 1 });
    }
    expect(queue.list().jobs.filter(({ attempts }) => attempts === 2)).toHaveLength(1);
  });

  it('killed within a batch keeps what it has written, draws none of it again and goes on with the next', async () => {
    const { queue, start, add, files, pids } = studio(10);
    const id = add('a batch', { seed: 40, batch: 10, steps: 4 });
    const runner = start();
    const notes: string[] = [];
    const written: number[] = [];
    const drawnAgain: number[] = [];
    queue.on((event) => {
      notes.push(queue.get(id).note);
      if (event.type === 'picture') written.push(event.picture.seed);
      if (event.type !== 'progress') return;
      const { image, images, step } = event.progress;
      expect(images).toBe(10);
      if (pids.length === 2) drawnAgain.push(image);
      else if (image === 6 && step === 2) process.kill(pids[0] as number, 'SIGKILL');
    });
    await runner.run({ untilEmpty: true });
    // On a busy machine the engine is a little further by the time that the signal reaches it.
    const said = notes
      .map((note) => /^The engine died: it goes on with picture (\d+) of 10, which starts again\./.exec(note)?.[1])
      .find((number) => number !== undefined);
    const next = Number(said);
    expect(next).toBeGreaterThanOrEqual(7);
    expect(queue.get(id)).toMatchObject({ state: 'done', attempts: 2, engineDeaths: 0 });
    expect([...new Set(drawnAgain)]).toEqual([6, 7, 8, 9].filter((image) => image >= next - 1));
    expect(written).toEqual(Array.from({ length: 10 }, (_, index) => 40 + index));
    expect(files()).toEqual(written.map((seed) => `${seed}.png`));
  });

  it('sets a job aside that kills the engine twice, with its log, and draws the rest', async () => {
    const { queue, start, add, files, pids } = studio();
    const bad = add('dies', { seed: 1 });
    const good = add('lives', { seed: 2 });
    await start().run({ untilEmpty: true });
    expect(queue.get(bad)).toMatchObject({ state: 'set-aside', attempts: 2, error: { code: 'ENGINE_DIED' } });
    expect(queue.log(bad)).toContain('the stand-in dies as it was told to');
    expect(queue.get(good).state).toBe('done');
    expect(files()).toEqual(['2.png']);
    expect(pids).toHaveLength(3);
  });

  it('counts deaths over one picture, not over a whole batch', async () => {
    const { queue, start, add, files } = studio();
    const id = add('dies-at-12', { seed: 10, batch: 4 });
    await start().run({ untilEmpty: true });
    expect(queue.get(id)).toMatchObject({ state: 'set-aside', engineDeaths: 2 });
    expect(files()).toEqual(['10.png', '11.png']);
  });

  it('tries once more in tiles and one by one where memory runs out, and says so', async () => {
    const { queue, start, add, files } = studio();
    const notes: string[] = [];
    const id = add('out-of-memory', { seed: 5, batch: 3 });
    queue.on(() => notes.push(queue.get(id).note));
    await start().run({ untilEmpty: true });
    expect(queue.get(id)).toMatchObject({ state: 'done', attempts: 2, reduced: true });
    expect(queue.get(id).note).toContain('in tiles');
    expect(notes).toContain(
      'Out of memory: it is tried once more with the VAE in tiles and one picture at a time, and starts again.',
    );
    expect(files()).toEqual(['5.png', '6.png', '7.png']);
  });

  it('fails a job that fails, with its error, and draws the next; retry draws it again', async () => {
    const { queue, start, add, files } = studio();
    const bad = add('fails', { seed: 1 });
    add('works', { seed: 2 });
    await start().run({ untilEmpty: true });
    expect(queue.get(bad)).toMatchObject({ state: 'failed', error: { code: 'NAN_LATENT', remedy: 'Say otherwise.' } });
    expect(files()).toEqual(['2.png']);
    queue.retry({ ids: [bad] });
    queue.edit({ id: bad, request: request({ prompt: 'works now', seed: 3, steps: 2 }) });
    await start().run({ untilEmpty: true });
    expect(queue.get(bad)).toMatchObject({ state: 'done', error: null });
    expect(files()).toEqual(['2.png', '3.png']);
  });

  it('cancels a running job at its next step and keeps the pictures that it finished', async () => {
    const { queue, start, add, files } = studio(10);
    const id = add('long', { seed: 1, batch: 50, steps: 10 });
    const next = add('next', { seed: 500 });
    const run = start().run({ untilEmpty: true });
    await until(queue, () => queue.get(id).pictures.length === 1);
    queue.cancel({ ids: [id] });
    await run;
    const job = queue.get(id);
    expect(job.state).toBe('cancelled');
    expect(job.note).toMatch(/^Cancelled; \d finished pictures? (is|are) kept\.$/);
    expect(files()).toHaveLength(job.pictures.length + 1);
    expect(queue.get(next).state).toBe('done');
  });

  it('a paused queue finishes the picture under way; paused now it stops at the next step', async () => {
    const { queue, start, add } = studio(20);
    const id = add('a batch', { seed: 1, batch: 3, steps: 5 });
    void start().run();
    await until(queue, () => queue.get(id).state === 'running');
    queue.pause();
    await until(queue, () => queue.get(id).state === 'queued');
    expect(queue.get(id).pictures).toHaveLength(1);
    expect(queue.get(id).note).toBe('The queue was paused: it goes on with picture 2 of 3, which starts again.');
    queue.resume();
    await until(queue, () => queue.get(id).state === 'running');
    queue.pause({ now: true });
    await until(queue, () => queue.get(id).state === 'queued');
    expect(queue.get(id).pictures).toHaveLength(1);
    queue.resume();
    await until(queue, () => queue.get(id).state === 'done');
    expect(queue.get(id).pictures.map(({ seed }) => seed)).toEqual([1, 2, 3]);
  });

  it('stops in good order: the job is in the queue again and the queue is not paused', async () => {
    const { queue, start, add } = studio(20);
    const id = add('long', { seed: 1, steps: 500 });
    const runner = start();
    void runner.run();
    await until(queue, () => queue.get(id).state === 'running');
    await runner.stop();
    expect(queue.get(id)).toMatchObject({ state: 'queued', note: 'Impasto was closed: it starts again.' });
    expect(queue.state()).toMatchObject({ paused: false, runners: [] });
  });

  it('two runners on one queue never draw the same job', async () => {
    const { queue, start, add, files, folder, pictures } = studio(1);
    for (let index = 0; index < 20; index += 1) add('shared', { seed: index, steps: 2 });
    const other = openQueue(folder);
    const jobs = new EngineJobRunner({ engineModule, env: { ...process.env, STAND_IN_STEP: '1' } });
    const second = new QueueRunner({ queue: other, jobs, writer: libraryWriter, name: 'other' });
    onTestFinished(() => second.stop());
    await Promise.all([start().run({ untilEmpty: true }), second.run({ untilEmpty: true })]);
    expect(queue.state().counts.done).toBe(20);
    expect(queue.list().jobs.map(({ attempts }) => attempts)).toEqual(Array.from({ length: 20 }, () => 1));
    expect(files()).toHaveLength(20);
    expect(pictures).toBe(join(folder, 'pictures'));
  });

  it('pauses the queue where the engine cannot start, and blames no job', async () => {
    const { queue, add } = studio();
    const id = add('waits');
    const jobs = new EngineJobRunner({ engineModule: new URL('./no-such-engine.ts', import.meta.url) });
    const runner = new QueueRunner({ queue, jobs, writer: libraryWriter, name: 'test' });
    await runner.run({ untilEmpty: true });
    expect(queue.state()).toMatchObject({ paused: true, cause: 'engine' });
    expect(queue.get(id)).toMatchObject({ state: 'queued', attempts: 0 });
  });
});
