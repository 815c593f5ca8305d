import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Job, QueueState } from '../../contract/queue.ts';
import { findNode } from '../engine/process/node-runtime.ts';
import { Library } from '../library/library.ts';
import { insertPngChunks } from '../library/metadata/png-chunks.ts';
import { pngTextChunk } from '../library/metadata/png-text.ts';
import { axisOf } from './queue-add.ts';

const program = fileURLToPath(new URL('./impasto.ts', import.meta.url));
const model = fileURLToPath(new URL('../../fixtures/small/models/sd1', import.meta.url));
let home = '';

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'impasto-cli-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

type Event = { type: string; ids: number[]; job: Job; state: QueueState; error: { code: string; message: string } };

/** Runs `impasto queue ...` for a person to read, in a folder of its own; all that it wrote. */
async function shown(data: string, ...args: string[]): Promise<string> {
  const child = spawn(findNode(), [program, 'queue', ...args], {
    cwd: home,
    env: { ...process.env, IMPASTO_HOME: join(home, data) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  await once(child, 'close');
  return text;
}

/** Runs `impasto queue ...` as a program does, in a folder of its own. */
async function queue(...args: string[]): Promise<{ code: number; events: Event[]; of: (type: string) => Event[] }> {
  const child = spawn(findNode(), [program, 'queue', ...args, '--json'], {
    cwd: home,
    env: { ...process.env, IMPASTO_HOME: join(home, 'data') },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const [code] = await once(child, 'close');
  const events = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Event);
  return { code: Number(code), events, of: (type) => events.filter((event) => event.type === type) };
}

const small = ['--model', model, '--provider', 'cpu', '--steps', '2', '--size', '64x64'];

describe('impasto queue', () => {
  it('adds, orders, holds, cancels, draws and clears, over one database', { timeout: 240_000 }, async () => {
    const added = await queue(
      'add',
      'a {red|blue} cat',
      ...small,
      '--wildcards',
      '--seeds',
      '3',
      '--seed',
      '5',
      '--name',
      '{seed}',
    );
    expect(added.of('added')[0]?.ids).toEqual([1, 2, 3]);
    writeFileSync(join(home, 'jobs.csv'), 'prompt,seed\nfrom a table,70\n');
    expect(
      (await queue('add', ...small, '--csv', 'jobs.csv', '--front', '--name', '{seed}')).of('added')[0]?.ids,
    ).toEqual([4]);
    await queue('front', '3');
    await queue('move', '1', '--after', '2');
    await queue('pause', '2');
    await queue('cancel', '1');
    await queue('pause');
    const refused = await queue('run');
    expect(refused).toMatchObject({
      code: 1,
      events: [{ type: 'error', error: { code: 'JOB_STATE' } }],
    });
    const list = (await queue('list', '--all')).of('job').map(({ job }) => [job.id, job.state]);
    expect(list).toEqual([
      [3, 'queued'],
      [4, 'queued'],
      [2, 'paused'],
      [1, 'cancelled'],
    ]);
    const run = await queue('run', '--resume');
    expect(run.code).toBe(0);
    expect(run.of('ended').map(({ job }) => [job.id, job.state])).toEqual([
      [3, 'done'],
      [4, 'done'],
    ]);
    expect(readdirSync(join(home, 'data', 'pictures')).sort()).toEqual(['7.png', '70.png']);
    expect((await queue('clear')).events).toEqual([{ type: 'cleared', count: 3 }]);
    expect((await queue('list', '--all')).of('job').map(({ job }) => job.id)).toEqual([2]);
    await queue('cancel', '--all');
  });

  it('draws a grid and its sheet', { timeout: 240_000 }, async () => {
    const out = join(home, 'grid');
    await queue(
      'add',
      'a red cat',
      ...small,
      '--out',
      out,
      '--grid-x',
      'seed=1,2',
      '--grid-y',
      'prompt:red=blue|green, dark',
    );
    const run = await queue('run');
    expect(run.of('ended').map(({ job }) => [job.kind, job.state])).toEqual([
      ...Array(4).fill(['render', 'done']),
      ['sheet', 'done'],
    ]);
    const sheet = readdirSync(out).find((name) => name.startsWith('grid-'));
    expect(readdirSync(out)).toHaveLength(5);
    // The library knows of what was drawn, also outside of its folders.
    const library = new Library({ home: join(home, 'data') });
    const listed = library.pictures.list().pictures.filter(({ path }) => path.startsWith(out));
    library.close();
    expect(listed.map(({ name }) => name).sort()).toEqual(readdirSync(out).sort());
    const { width, height } = await sharp(join(out, sheet ?? '')).metadata();
    expect(width).toBeGreaterThan(128);
    expect(height).toBeGreaterThan(128);
  });

  it('edits, shows, duplicates and tries again', { timeout: 240_000 }, async () => {
    const out = join(home, 'edited');
    const [{ ids: [id = 0] = [] } = {}] = (await queue('add', 'a cat', ...small, '--seed', '4')).of('added');
    const flags = ['--steps', '3', '--guidance', '2', '--out', out, '--format', 'webp', '--name', '{seed}'];
    const [edited] = (await queue('edit', String(id), 'a dog', ...flags)).of('job');
    expect(edited?.job).toMatchObject({
      request: { prompt: 'a dog', steps: 3, seed: 4, width: 64, guidance: { scale: 2 }, provider: 'cpu' },
      output: { folder: out, format: 'webp', name: '{seed}' },
    });
    // What is not given stays.
    await queue('edit', String(id), '--seed', '5');
    const [copy] = (await queue('duplicate', String(id))).of('added');
    await queue('cancel', String(id));
    await queue('retry', String(id));
    const run = await queue('run');
    expect(run.of('ended').map(({ job }) => [job.id, job.state])).toEqual([
      [copy?.ids[0], 'done'],
      [id, 'done'],
    ]);
    expect(readdirSync(out).sort()).toEqual(['5-2.webp', '5.webp']);
    const [{ job } = {}] = (await queue('show', String(id))).of('job');
    expect(job).toMatchObject({ state: 'done', request: { prompt: 'a dog', steps: 3, seed: 5 } });
    expect(job?.pictures).toHaveLength(1);
  });

  it('shows terminal codes of prompts and pictures and never obeys them', { timeout: 240_000 }, async () => {
    const evil = '\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\r\n     7  done      a job that is none';
    const plain = await sharp({ create: { width: 16, height: 16, channels: 3, background: '#c33' } })
      .png()
      .toBuffer();
    const text = `${evil}\nNegative prompt: \x1b[31m\nSteps: 2, Sampler: \x1b[5m, Seed: 3, Size: 64x64`;
    const picture = join(home, 'evil.png');
    writeFileSync(picture, await insertPngChunks(plain, { late: [pngTextChunk('parameters', text)] }));
    const obeyed = /[^\P{Cc}\n\t]|[\u202a-\u202e]/u;
    const seen = [
      await shown('evil', 'add', evil, ...small, '--name', '{seed}-{prompt}'),
      await shown('evil', 'add', '--like', picture, '--model', model, '--provider', 'cpu'),
      await shown('evil', 'list'),
      await shown('evil', 'show', '1'),
      await shown('evil', 'show', '2'),
      await shown('evil', 'list', '--json'),
      await shown('evil', 'show', evil),
      await shown('evil', 'run'),
      await shown('evil', 'list', '--all'),
    ];
    for (const text of seen) expect(text).not.toMatch(obeyed);
    expect(seen[0]).toContain('added job 1');
    expect(seen[1]).toContain('added job 2');
    expect(seen[2]).toContain('\\x1b]0;owned\\x07');
    // One line a job: none that the prompt has made up.
    expect(seen[2]?.split('\n').filter((line) => /^ +\d+ {2}/.test(line))).toHaveLength(2);
    expect(seen[8]).toMatch(/2 done/);
    const [first = ''] = seen[5]?.split('\n') ?? [];
    expect((JSON.parse(first) as Event).job.request.prompt).toBe(evil);
  });

  it('says in one error what is wrong', { timeout: 120_000 }, async () => {
    for (const [args, code] of [
      [['cancel', '99'], 'JOB_NOT_FOUND'],
      [['cancel'], 'REQUEST_INVALID'],
      [['front', 'first'], 'REQUEST_INVALID'],
      [['move', '1'], 'REQUEST_INVALID'],
      [['edit', '99', 'x'], 'JOB_NOT_FOUND'],
      [['edit', '2'], 'REQUEST_INVALID'],
      [['edit', '2', '--steps', '0'], 'REQUEST_INVALID'],
      [['add', 'x', ...small, '--grid-x', 'setps=1,2'], 'REQUEST_INVALID'],
      [['add', 'x', ...small, '--csv', 'none.csv'], 'FILE_NOT_FOUND'],
    ] as const) {
      const { code: exit, events } = await queue(...args);
      expect([exit, events.map(({ type, error }) => [type, error?.code])]).toEqual([1, [['error', code]]]);
    }
  });
});

it('axes are written as field=values, with | where values hold commas', () => {
  expect(axisOf('steps=10, 20')).toEqual({ field: 'steps', values: ['10', '20'] });
  expect(axisOf('guidance.interval=0,1|0.2,0.8')).toEqual({ field: 'guidance.interval', values: ['0,1', '0.2,0.8'] });
  expect(axisOf('prompt:a cat=a=b,c')).toEqual({ field: 'prompt', replace: 'a cat', values: ['a=b', 'c'] });
  expect(() => axisOf('steps')).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
});
