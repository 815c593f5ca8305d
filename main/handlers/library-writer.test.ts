import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Job } from '../../contract/queue.ts';
import { findNode } from '../engine/process/node-runtime.ts';
import { readMetadata } from '../library/metadata/read-metadata.ts';
import { openQueue, output, request, temporaryFolder } from '../queue/test-support.ts';

const program = fileURLToPath(new URL('./testdata/draw-and-die.ts', import.meta.url));

/** Runs a process that draws the queue of a folder. */
function draw(folder: string, point: string) {
  const { signal, status, stderr } = spawnSync(findNode(), [program, folder, point], { encoding: 'utf8' });
  return { signal, status, stderr };
}

async function threePictures() {
  const folder = temporaryFolder();
  const pictures = join(folder, 'pictures');
  await mkdir(pictures);
  const queue = openQueue(folder);
  const made = request({ prompt: 'three', seed: 7, batch: 3 });
  const { id } = queue.add({ requests: [made], output: output(pictures) })[0] as Job;
  queue.close();
  return { folder, pictures, id };
}

describe('a process killed while it writes a picture', () => {
  /** Where the second picture is found after the kill: written, or still to be drawn. */
  const points: [string, number][] = [
    ['begun', 1],
    ['reserved', 1],
    ['temporary file written', 1],
    ['named', 2],
    ['temporary file gone', 2],
    ['written', 2],
    ['kept', 2],
  ];
  it.each(points)('%s: after the next start %i pictures are there, in the end all three once', async (point, kept) => {
    const { folder, pictures, id } = await threePictures();
    expect(draw(folder, point)).toMatchObject({ signal: 'SIGKILL' });
    const queue = openQueue(folder);
    expect(queue.state()).toMatchObject({ paused: true, cause: 'crash', runners: [] });
    expect(queue.state().reason).toContain(`goes on with picture ${kept + 1} of 3`);
    expect(queue.get(id).pictures.map(({ image }) => image)).toEqual([0, 1].slice(0, kept));
    expect(readdirSync(pictures).sort()).toEqual(['7.png', '8.png'].slice(0, kept));
    queue.close();
    expect(draw(folder, 'none')).toMatchObject({ status: 0 });
    expect(readdirSync(pictures).sort()).toEqual(['7.png', '8.png', '9.png']);
    const after = openQueue(folder).get(id);
    expect(after).toMatchObject({ state: 'done', attempts: 2 });
    for (const { path, seed } of after.pictures) {
      expect((await readMetadata(path)).request).toMatchObject({ prompt: 'three', seed });
    }
  });

  it('a name that is taken is not written over, and the picture is found under the name that it got', async () => {
    const { folder, pictures, id } = await threePictures();
    writeFileSync(join(pictures, '8.png'), 'not ours');
    expect(draw(folder, 'named')).toMatchObject({ signal: 'SIGKILL' });
    const queue = openQueue(folder);
    expect(queue.get(id).pictures.map(({ path }) => path)).toEqual(
      ['7.png', '8-2.png'].map((name) => join(pictures, name)),
    );
    expect(readdirSync(pictures).sort()).toEqual(['7.png', '8-2.png', '8.png']);
  });
});
