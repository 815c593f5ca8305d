/**
 * A process that draws a queue and is killed at one point of writing its second picture. Arguments: folder, point.
 */
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { standInPicture } from '../../queue/crash/stand-in-engine.ts';
import { Queue } from '../../queue/queue.ts';
import type { JobRunner } from '../../queue/runner/job-runner.ts';
import type { PictureWriter } from '../../queue/runner/picture-writer.ts';
import { QueueRunner } from '../../queue/runner/queue-runner.ts';
import { libraryWriter } from '../library-writer.ts';

const [, , folder = '', point = 'none'] = process.argv;
let picture = 0;

function at(reached: string): void {
  if (reached === point && picture === 2) process.kill(process.pid, 'SIGKILL');
}

const { link, unlink } = files;
files.link = async (...names) => {
  at('temporary file written');
  await link(...names);
  at('named');
};
files.unlink = async (name) => {
  await unlink(name);
  at('temporary file gone');
};
syncBuiltinESMExports();

const writer: PictureWriter = {
  ...libraryWriter,
  async writePicture(image, summary, place) {
    picture += 1;
    at('begun');
    const written = await libraryWriter.writePicture(image, summary, {
      ...place,
      reserve: (...intent) => {
        place.reserve(...intent);
        at('reserved');
      },
    });
    at('written');
    return written;
  },
};

const jobs: JobRunner = {
  ready: async () => {},
  run: async ({ request }, hooks) => {
    for (let index = 0; index < request.batch; index += 1) {
      hooks.onImage(standInPicture(request.seed + index, 16, 16), index, {
        request: { ...request, width: 16, height: 16 },
        provider: { provider: 'cpu', reason: '' },
        unetRows: 0,
        sessionsBuilt: 0,
        warnings: [],
        timings: {},
        modelName: 'stand-in',
      });
    }
  },
  log: () => '',
  stop: async () => {},
};

const queue = new Queue({ path: join(folder, 'queue.sqlite') });
queue.on(({ type }) => {
  if (type === 'picture') at('kept');
});
if (point === 'none') queue.resume();
await new QueueRunner({ queue, jobs, writer, name: 'test' }).run({ untilEmpty: true });
queue.close();
