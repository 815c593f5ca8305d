import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import type { Job } from '../../../contract/queue.ts';
import { openCheckpoint } from '../../../models/checkpoint/open.ts';
import { estimateJob } from '../../engine/runtime/memory.ts';
import { libraryWriter } from '../../handlers/library-writer.ts';
import { readMetadata } from '../../library/metadata/read-metadata.ts';
import { openQueue, output, request, temporaryFolder } from '../test-support.ts';
import { EngineJobRunner } from './engine-job-runner.ts';
import { QueueRunner } from './queue-runner.ts';

const model = fileURLToPath(new URL('../../../fixtures/small/models/sd1', import.meta.url));

it('a job that the engine refuses for its memory is drawn in tiles instead, and says so', async () => {
  const folder = temporaryFolder();
  const queue = openQueue(folder);
  // Larger than a tile, and just the memory that it needs in tiles.
  const size = { width: 640, height: 640 };
  const { vae, unet, parameters } = await openCheckpoint(model);
  const needs = (vaeTile: number | null) =>
    estimateJob({
      ...size,
      rows: 1,
      unetBytes: (parameters.unet ?? 0) * 4,
      vaeBytes: (parameters.vae ?? 0) * 4,
      textBytes: 0,
      unetChannels: unet.config.blockOutChannels[0] as number,
      vaeChannels: vae.decoder?.config.blockOutChannels[1] as number,
      vaeTile,
    });
  expect(needs(null).peak.stage).toBe('decode');
  const budget = (needs(null).bytes + needs(512).bytes) / 2;
  const jobs = new EngineJobRunner({ settings: { memoryBudget: budget } });
  const runner = new QueueRunner({ queue, jobs, writer: libraryWriter, name: 'test' });
  onTestFinished(() => runner.stop());
  const made = request({
    model,
    ...size,
    seed: 3,
    batch: 2,
    steps: 1,
    guidance: { scale: 1 },
    provider: 'cpu',
    vae: { tiling: 'off' },
  });
  const [job] = queue.add({ requests: [made], output: output(join(folder, 'pictures')) }) as [Job];
  const notes: string[] = [];
  queue.on(() => notes.push(queue.get(job.id).note));
  await runner.run({ untilEmpty: true });
  expect(queue.get(job.id)).toMatchObject({ error: null, state: 'done', attempts: 2, reduced: true });
  expect(notes).toContainEqual(expect.stringMatching(/^Out of memory: it is tried once more with the VAE in tiles/));
  expect(queue.get(job.id).note).toContain('in tiles');
  const pictures = queue.get(job.id).pictures;
  expect(pictures.map(({ seed }) => seed)).toEqual([3, 4]);
  const { request: drawn } = await readMetadata(pictures[1]?.path ?? '');
  expect(drawn).toMatchObject({ seed: 4, batch: 1, vae: { tiling: 'on' } });
});
