import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Batch, type BatchInput } from '../../../contract/queue.ts';
import { costRank } from '../grid/axes.ts';
import { openQueue, output, request, temporaryFolder } from '../test-support.ts';
import { expandBatch } from './expand.ts';

const expand = (batch: Omit<BatchInput, 'request'> & { request?: BatchInput['request'] }) =>
  expandBatch(Batch.parse({ request: {}, ...batch }));

describe('a batch', () => {
  it('of seeds counts up past the pictures of each job, or draws them, the same each time', async () => {
    const consecutive = await expand({ request: request({ seed: 5, batch: 3 }), seeds: { count: 3 } });
    expect(consecutive.map(({ request }) => request.seed)).toEqual([5, 8, 11]);
    const random = async () =>
      (await expand({ request: request({ seed: 5 }), seeds: { count: 50, order: 'random' } })).map(
        ({ request }) => request.seed,
      );
    expect(new Set(await random()).size).toBe(50);
    expect(await random()).toEqual(await random());
  });

  it('of a table takes what a row has and leaves the rest', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'jobs.csv');
    writeFileSync(path, 'prompt,seed,guidance.scale\n"a cat, sitting",1,\na dog,,3.5\n');
    const jobs = await expand({ request: request({ seed: 9, steps: 7 }), csv: { path } });
    expect(jobs).toMatchObject([
      { request: { prompt: 'a cat, sitting', seed: 1, steps: 7, guidance: { scale: 7.5 } }, origin: { csvRow: 1 } },
      { request: { prompt: 'a dog', seed: 9, steps: 7, guidance: { scale: 3.5 } }, origin: { csvRow: 2 } },
    ]);
    writeFileSync(path, 'init.path,init.strength\nphotos/a.png,0.3\n');
    expect((await expand({ csv: { path } }))[0]?.request.init).toEqual({
      path: join(folder, 'photos', 'a.png'),
      strength: 0.3,
    });
    for (const [text, message] of [
      ['prompt,sede\na,1\n', 'no field "sede"'],
      ['prompt,steps\na,1\nb,many\n', 'Line 3'],
      ['prompt,steps\na,5000\n', 'Line 2'],
      ['prompt,steps\na\n', 'has 1 cells, and the header has 2'],
      ['prompt\n', 'has no rows'],
    ] as const) {
      writeFileSync(path, text);
      await expect(expand({ csv: { path } })).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
        message: expect.stringContaining(message),
      });
    }
    await expect(expand({ csv: { path: join(folder, 'none.csv') } })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });

  it('of a folder starts from each picture, as a person sorts them', async () => {
    const folder = temporaryFolder();
    for (const name of ['b10.png', 'b2.PNG', 'a.jpeg', 'notes.txt', '.hidden.png'])
      writeFileSync(join(folder, name), '');
    const jobs = await expand({ initFolder: { path: folder, strength: 0.4 }, seeds: { count: 2 } });
    expect(jobs.map(({ request }) => [request.init?.path, request.seed])).toEqual(
      ['a.jpeg', 'b2.PNG', 'b10.png'].flatMap((name) => [0, 1].map((seed) => [join(folder, name), seed])),
    );
    expect(jobs[0]?.request.init?.strength).toBe(0.4);
    await expect(expand({ initFolder: { path: join(folder, 'none') } })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
  });

  it('with wildcards chooses anew for each job and writes down what', async () => {
    const jobs = await expand({
      request: request({ prompt: '{a|b|c|d}', seed: 4 }),
      seeds: { count: 40 },
      wildcards: {},
    });
    expect(new Set(jobs.map(({ request }) => request.prompt))).toEqual(new Set(['a', 'b', 'c', 'd']));
    expect(jobs[3]?.origin).toMatchObject({
      prompt: '{a|b|c|d}',
      choiceSeed: 7,
      choices: [{ from: '{a|b|c|d}', to: jobs[3]?.request.prompt }],
    });
    const plain = await expand({ request: request({ prompt: '{a|b}' }), seeds: { count: 1 } });
    expect(plain[0]).toMatchObject({ request: { prompt: '{a|b}' }, origin: {} });
  });

  it('of more jobs than anybody means is refused', async () => {
    const folder = temporaryFolder();
    for (const name of ['a.png', 'b.png']) writeFileSync(join(folder, name), '');
    await expect(expand({ initFolder: { path: folder }, seeds: { count: 100_000 } })).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  });
});

describe('a grid', () => {
  it('changes what costs most outermost, whatever axis it lies on', async () => {
    const jobs = await expand({
      request: request({ prompt: 'a cat', batch: 4 }),
      grid: {
        x: { field: 'model', values: ['/a', '/b'] },
        y: { field: 'seed', values: [1, 2] },
        z: { field: 'steps', values: ['10', '20'] },
      },
    });
    expect(jobs.map(({ request }) => [request.model, request.steps, request.seed])).toEqual([
      ['/a', 10, 1],
      ['/a', 10, 2],
      ['/a', 20, 1],
      ['/a', 20, 2],
      ['/b', 10, 1],
      ['/b', 10, 2],
      ['/b', 20, 1],
      ['/b', 20, 2],
    ]);
    expect(jobs.map(({ origin }) => origin.cell)).toEqual([
      [0, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [0, 1, 1],
      [1, 0, 0],
      [1, 1, 0],
      [1, 0, 1],
      [1, 1, 1],
    ]);
    expect(jobs.every(({ request }) => request.batch === 1)).toBe(true);
  });

  it('ranks model, VAE, adapters, size, text, sampling and seed by what they cost', () => {
    const fields = ['model', 'vae.path', 'adapters.0.scale', 'width', 'prompt', 'steps', 'seed'];
    expect(fields.toSorted((a, b) => costRank(a) - costRank(b))).toEqual(fields);
    expect(new Set(fields.map(costRank)).size).toBe(fields.length);
  });

  it('replaces words, on two axes of one prompt', async () => {
    const jobs = await expand({
      request: request({ prompt: 'a red cat' }),
      grid: {
        x: { field: 'prompt', replace: 'red', values: ['red', 'blue $&'] },
        y: { field: 'prompt', replace: 'cat', values: ['dog'] },
      },
    });
    expect(jobs.map(({ request }) => request.prompt)).toEqual(['a red dog', 'a blue $& dog']);
  });

  it('is refused where a field, a value or a word is wrong', async () => {
    const grids: NonNullable<BatchInput['grid']>[] = [
      { x: { field: 'setps', values: [1] } },
      { x: { field: 'steps', values: [0] } },
      { x: { field: 'batch', values: [2] } },
      { x: { field: 'prompt', replace: 'dog', values: ['cat'] } },
      { x: { field: 'steps', values: [1] }, y: { field: 'steps', values: [2] } },
    ];
    for (const grid of grids) {
      await expect(expand({ request: request({ prompt: 'a cat' }), grid })).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
      });
    }
    await expect(expand({ grid: { x: { field: 'steps', values: [1] } }, seeds: { count: 2 } })).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  });

  it('goes into the queue whole, its sheet last, which waits for every picture', async () => {
    const queue = openQueue();
    const jobs = await queue.addBatch({
      batch: { request: request(), grid: { x: { field: 'seed', values: [1, 2] } } },
      output: output('/n'),
    });
    expect(jobs.map(({ kind }) => kind)).toEqual(['render', 'render', 'sheet']);
    expect(new Set(jobs.map(({ group }) => group)).size).toBe(1);
    queue.leases.register('me', 'app');
    const [first, second] = [queue.leases.claim('me'), queue.leases.claim('me')];
    expect([first?.job.kind, second?.job.kind]).toEqual(['render', 'render']);
    expect(queue.leases.claim('me')).toBeNull();
    queue.store.move(first?.job.id ?? 0, 'finish', {});
    expect(queue.leases.claim('me')).toBeNull();
    queue.store.move(second?.job.id ?? 0, 'fail', {});
    expect(queue.leases.claim('me')?.job.kind).toBe('sheet');
  });
});
