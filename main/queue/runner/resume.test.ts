import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { expect, it, onTestFinished } from 'vitest';
import type { Job } from '../../../contract/queue.ts';
import { libraryWriter } from '../../handlers/library-writer.ts';
import { openQueue, output, request, temporaryFolder } from '../test-support.ts';
import { EngineJobRunner } from './engine-job-runner.ts';
import { QueueRunner } from './queue-runner.ts';

const model = fileURLToPath(new URL('../../../fixtures/small/models/sd1', import.meta.url));
const pixels = (path: string) => sharp(readFileSync(path)).raw().toBuffer();

it('a long job whose engine is killed goes on from its last checkpoint and draws what it would have drawn', async () => {
  const folder = temporaryFolder();
  const queue = openQueue(folder);
  const pids: (number | undefined)[] = [];
  const jobs = new EngineJobRunner({ checkpoints: { after: 0, every: 0 }, onStart: (pid) => pids.push(pid) });
  const runner = new QueueRunner({ queue, jobs, writer: libraryWriter, name: 'test' });
  onTestFinished(() => runner.stop());
  const made = request({
    model,
    prompt: 'a lighthouse',
    seed: 5,
    batch: 2,
    width: 64,
    height: 64,
    steps: 30,
    provider: 'cpu',
    scheduler: { name: 'dpmpp-2m-sde' },
  });
  const add = (name: string) => {
    const [job] = queue.add({ requests: [made], output: output(join(folder, 'pictures'), { name }) });
    return (job as Job).id;
  };
  const [killed, whole] = [add('killed-{seed}'), add('whole-{seed}')];
  const rows: number[] = [];
  queue.on((event) => {
    if (event.type !== 'progress' || event.progress.stage !== 'sample') return;
    const { image, step, unetRows } = event.progress;
    if (event.id !== killed || image !== 1) return;
    if (pids.length === 1 && step === 20) process.kill(pids[0] as number, 'SIGKILL');
    if (pids.length === 2) rows.push(unetRows);
  });
  const notes: string[] = [];
  queue.on(() => notes.push(queue.get(killed).note));
  await runner.run({ untilEmpty: true });
  expect(notes.find((note) => note.startsWith('The engine died'))).toMatch(
    /^The engine died: it goes on from step (19|2\d) of 30 of picture 2 of 2\./,
  );
  expect(queue.get(killed)).toMatchObject({ state: 'done', attempts: 2 });
  // Two rows a step, for the steps after the checkpoint alone.
  expect(Math.max(...rows)).toBeLessThanOrEqual(2 * 11);
  const [one, other] = [queue.get(killed).pictures, queue.get(whole).pictures];
  for (const image of [0, 1]) {
    expect(await pixels(one[image]?.path ?? '')).toEqual(await pixels(other[image]?.path ?? ''));
  }
});
