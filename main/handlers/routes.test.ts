import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EventName, events } from '../../contract/events.ts';
import type { JobPreview } from '../../contract/preview-frame.ts';
import type { Job, JobList, QueueState } from '../../contract/queue.ts';
import { routes } from '../../contract/routes.ts';
import { pictureBytes, writeAdapter } from '../library/test-support.ts';
import { type Backend, openBackend } from './backend.ts';
import { engineModule, otherRoutes, startTestBackend, type TestBackend } from './test-support.ts';

let test: TestBackend;
let home: string;
let backend: Backend;
beforeAll(async () => {
  test = await startTestBackend();
  ({ home, backend } = test);
});
afterAll(() => test.end());
const call: TestBackend['call'] = (name, input) => test.call(name, input);
const heard = (name: EventName) => test.heard(name);

const tiny = { steps: 3, prompt: 'a red star' };
const wait = { timeout: 20_000 };

describe('a job by its routes, drawn in an engine process', () => {
  let ids: number[];

  it('is added, changed and moved while the queue is paused', async () => {
    await call('queue.pause', {});
    expect(await call('queue.state', {})).toMatchObject({ paused: true, cause: 'person' });
    ({ ids } = await call('queue.add', { requests: [tiny, { ...tiny, seed: 1 }, { ...tiny, seed: 2 }] }));
    expect(ids).toHaveLength(3);
    const [first, second, third] = ids as [number, number, number];
    await call('queue.front', { ids: [third] });
    await call('queue.reorder', { ids: [first], place: { after: second } });
    expect((await call('queue.list', {})).jobs.map(({ id }) => id)).toEqual([third, second, first]);
    const edited = await call('queue.edit', { id: second, request: { ...tiny, seed: 7 } });
    expect(edited.job.request.seed).toBe(7);
    const copies = await call('queue.duplicate', { ids: [second] });
    await call('queue.cancel', { ids: copies.ids });
    expect((await call('queue.retry', { ids: copies.ids })).ids).toEqual(copies.ids);
    await call('queue.cancel', { ids: copies.ids });
    expect((await call('queue.get', { id: copies.ids[0] as number })).state).toBe('cancelled');
    expect(await call('queue.clear', { states: ['cancelled'] })).toEqual({ removed: 1 });
  });

  it('is drawn into the folder of the settings, and what happens is told', async () => {
    const { output } = await call('settings.get', {});
    await call('settings.set', { output: { ...output, folder: join(home, 'here'), name: 'p-{seed}' } });
    await call('queue.resume', {});
    const done = async () => (await call('queue.list', { states: ['done'], order: 'newest' })) as JobList;
    const { ids: late } = await call('queue.add', { requests: [{ ...tiny, seed: 9 }] });
    await expect.poll(async () => (await done()).total, wait).toBe(4);
    const job: Job = await call('queue.get', { id: late[0] as number });
    expect(job.pictures[0]?.path).toBe(join(home, 'here/p-9.png'));
    for (const name of Object.keys(events) as EventName[]) {
      for (const data of heard(name)) events[name].parse(JSON.parse(JSON.stringify(data)));
    }
    expect(heard('queue.jobs').length).toBeGreaterThan(0);
    expect(heard('queue.picture')).toHaveLength(4);
    expect(heard('queue.progress').length).toBeGreaterThan(0);
    expect(heard('queue.state').length).toBeGreaterThan(0);
    expect(heard('engine.state')[0]).toMatchObject({ running: true });
    expect(heard('settings.changed')).toHaveLength(1);
    const previews = test.pushed.flatMap((push): JobPreview[] => (push.kind === 'preview' ? [push.preview] : []));
    expect(previews.some((preview) => preview.job === late[0] && preview.rgb.length === 6)).toBe(true);
  });

  it('has its picture at a URL', async () => {
    const id = ids[0] as number;
    const found = await backend.resources.find(`/jobs/${id}/pictures/0`);
    const { pictures } = await call('queue.get', { id });
    expect(found).toMatchObject({ path: pictures[0]?.path, contentType: 'image/png', bytes: pictures[0]?.bytes });
    expect(await call('queue.log', { id })).toEqual({ log: '' });
  });

  it('comes in batches', async () => {
    await call('queue.pause', {});
    const { ids: grid } = await call('queue.addBatch', {
      batch: { request: tiny, grid: { x: { field: 'steps', values: [2, 3] } } },
      place: 'front',
    });
    expect(grid).toHaveLength(3);
    const { jobs } = await call('queue.list', { states: ['queued'] });
    expect(jobs.map(({ kind }) => kind)).toEqual(['render', 'render', 'sheet']);
    await call('queue.cancel', { all: true });
    await call('queue.resume', {});
  });
});

describe('what is asked of the engine', () => {
  it('is answered by the same process that draws', async () => {
    expect((await call('engine.devices', {})).chosen.provider).toBe('cpu');
    expect((await call('engine.memory', {})).rss).toBeGreaterThan(0);
    const estimate = await call('engine.estimate', { model: 'demo', width: 512, height: 256 });
    expect(estimate).toMatchObject({ width: 512, height: 256, part: 'the UNet' });
    expect(await call('engine.release', {})).toEqual({});
    expect(heard('engine.state')).toHaveLength(1);
  });
});

describe('questions and a job at once', () => {
  it('start one engine, not one each', async () => {
    const other = mkdtempSync(join(tmpdir(), 'impasto-once-'));
    const fresh = await openBackend({ home: other, name: 'test', engine: { engineModule } });
    const pids = new Set<unknown>();
    fresh.on((push) => {
      if (push.kind === 'event' && push.event.event === 'engine.state' && push.event.data.running) {
        pids.add(push.event.data.pid);
      }
    });
    try {
      await Promise.all([
        fresh.call('queue.add', { requests: [tiny] }),
        fresh.call('engine.devices', {}),
        fresh.call('engine.memory', {}),
      ]);
      const done = async () => ((await fresh.call('queue.state', {})) as { output: QueueState }).output.counts.done;
      await expect.poll(done, wait).toBe(1);
      expect(pids.size).toBe(1);
    } finally {
      await fresh.close();
      rmSync(other, { recursive: true, force: true });
    }
  });
});

describe('prompts', () => {
  it('are counted by the tokenizer of their model', async () => {
    const { chunks } = await call('prompt.count', { model: 'demo', prompt: 'a red star', steps: 20 });
    expect(chunks).toHaveLength(1);
    expect(chunks[0]?.used).toBeGreaterThanOrEqual(3);
  });

  it('have their <lora:...> tags made adapters, wherever a request is given', async () => {
    const ink = join(home, 'models/Ink.safetensors');
    await writeAdapter(ink);
    await backend.call('library.scan', {});
    const tagged = { ...tiny, prompt: 'a castle <lora:ink:0.5>, <lora:x:y>' };
    const { request, warnings } = await call('prompt.resolve', { request: tagged });
    expect(request).toMatchObject({ prompt: 'a castle', adapters: [{ path: ink, strength: 0.5 }] });
    expect(warnings).toMatchObject([{ code: 'LORA_TAG_MALFORMED' }]);
    await call('queue.pause', {});
    const added = await call('queue.add', { requests: [tagged, tagged] });
    expect(added.warnings).toHaveLength(1);
    expect((await call('queue.get', { id: added.ids[1] as number })).request.adapters).toHaveLength(1);
    const change = { ...tiny, prompt: '<lora:INK:-1:2>' };
    const { job } = await call('queue.edit', { id: added.ids[0] as number, request: change });
    expect(job.request).toMatchObject({ prompt: '', adapters: [{ path: ink, strength: 2, textStrength: -1 }] });
    await expect(call('queue.add', { requests: [{ prompt: '<lora:inc:1>' }] })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      remedy: expect.stringContaining('"ink"'),
    });

    // In a batch only the prompts that it makes say what they name.
    const csv = { text: 'prompt,seed\n"<lora:ink:0.1> one",1\n"<lora:ink:0.2> two",2' };
    const batch = { request: tiny, csv };
    const preview = await call('queue.previewBatch', { batch, limit: 1 });
    expect(preview).toMatchObject({ jobs: 2, first: [{ request: { prompt: 'one', adapters: [{ strength: 0.1 }] } }] });
    const { ids } = await call('queue.addBatch', { batch });
    expect((await call('queue.get', { id: ids[1] as number })).request.adapters).toMatchObject([{ strength: 0.2 }]);
    await call('queue.cancel', { all: true });
    await call('queue.resume', {});
  });

  it('are filled in from the wildcards of the folder', async () => {
    mkdirSync(join(home, 'wildcards/deep'), { recursive: true });
    writeFileSync(join(home, 'wildcards/colour.txt'), 'teal\nochre\n');
    writeFileSync(join(home, 'wildcards/deep/none.txt'), '# nothing\n');
    const { wildcards } = await call('wildcards.list', {});
    expect(wildcards).toEqual([
      { name: 'colour', lines: 2 },
      { name: 'deep/none', lines: 0 },
    ]);
    const { prompts } = await call('wildcards.fill', { prompt: 'a __colour__ {fox|hare}', seed: 1, count: 40 });
    expect(new Set(prompts)).toEqual(new Set(['a teal fox', 'a teal hare', 'a ochre fox', 'a ochre hare']));
    for (const name of ['a/../../settings', 'a/..', 'none']) {
      await expect(call('wildcards.fill', { prompt: `__${name}__`, seed: 1 })).rejects.toMatchObject({
        code: name === 'none' ? 'FILE_NOT_FOUND' : 'PATH_ESCAPES',
      });
    }
    const batch = { request: { ...tiny, prompt: 'a __colour__ fox' }, wildcards: {} };
    const { first } = await call('queue.previewBatch', { batch });
    expect(prompts).toContain(first[0]?.request.prompt);
  });

  it('say which fields a grid or a table can set', async () => {
    const { fields } = await call('queue.fields', {});
    const byPath = new Map(fields.map((field) => [field.path, field]));
    expect(byPath.get('steps')).toMatchObject({ kind: 'integer' });
    expect(byPath.get('guidance.scale')).toMatchObject({ kind: 'number' });
    expect(byPath.get('prompt')).toMatchObject({ kind: 'text' });
    expect(byPath.get('scheduler.name')?.choices).toContain('euler-a');
    expect(byPath.has('version')).toBe(false);
  });

  it('are drawn over chosen pictures, uploads too', async () => {
    const { id } = await backend.uploads.add(
      (async function* () {
        yield await pictureBytes();
      })(),
    );
    const batch = { request: tiny, initPictures: { paths: [`upload:${id}`, '/a.png'], strength: 0.4 } };
    const { first } = await call('queue.previewBatch', { batch });
    expect(first.map(({ request }) => request.init)).toEqual([
      { path: join(home, 'uploads', `${id}.png`), strength: 0.4 },
      { path: '/a.png', strength: 0.4 },
    ]);
    const mixed = { ...batch, grid: { x: { field: 'steps', values: [1] } } };
    await expect(call('queue.previewBatch', { batch: mixed })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    const half = { request: tiny, csv: { text: 'init.path\nhalf/a.png' } };
    await expect(call('queue.previewBatch', { batch: half })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  });
});

describe('uploads', () => {
  const picture = (background: string) =>
    sharp({ create: { width: 32, height: 16, channels: 3, background } })
      .png()
      .toBuffer();

  it('are named by what they hold: the same picture is kept once', async () => {
    const red = await picture('#f00');
    const chunks = async function* (bytes: Buffer) {
      for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
    };
    const first = await backend.uploads.add(chunks(red));
    expect(first).toMatchObject({ width: 32, height: 16, format: 'png', bytes: red.length });
    expect((await backend.uploads.add(chunks(red))).id).toBe(first.id);
    expect((await backend.uploads.add(chunks(await picture('#0f0')))).id).not.toBe(first.id);
  });
});

describe('settings', () => {
  it('outlast a restart, and a damaged file is kept and told of', async () => {
    const other = mkdtempSync(join(tmpdir(), 'impasto-settings-'));
    const open = () => openBackend({ home: other, name: 'test', draw: false });
    try {
      const one = await open();
      await Promise.all([
        one.call('settings.set', { theme: 'dark' }),
        one.call('settings.set', { shortcuts: { generate: 'Alt+G' } }),
      ]);
      await one.close();
      const two = await open();
      const kept = { ok: true, output: { theme: 'dark', shortcuts: { generate: 'Alt+G' } } };
      expect(await two.call('settings.get', {})).toMatchObject(kept);
      expect(await two.call('settings.set', { previewEvery: -1 })).toMatchObject({ ok: false });
      await two.close();
      writeFileSync(join(other, 'settings.json'), '{"theme":"pink"}');
      const three = await open();
      expect(await three.call('settings.get', {})).toMatchObject({ ok: true, output: { theme: 'system' } });
      const info = routes['app.info'].output.parse(((await three.call('app.info', {})) as { output: unknown }).output);
      expect(info.warnings[0]?.message).toContain('theme');
      await three.close();
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });
});

it('covers every route but those of the library', async () => {
  expect((await call('app.info', {})).home).toBe(home);
  expect([...test.asked].sort()).toEqual([...otherRoutes].sort());
});
