import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EventName, events } from '../../contract/events.ts';
import type { JobPreview } from '../../contract/preview-frame.ts';
import type { Job, JobList, QueueState } from '../../contract/queue.ts';
import { type RouteInput, type RouteName, type RouteOutput, routeNames, routes } from '../../contract/routes.ts';
import { type Backend, openBackend } from './backend.ts';
import type { Push } from './event-relay.ts';

const engineModule = new URL('../engine/process/testdata/fake-engine.ts', import.meta.url);
let home: string;
let backend: Backend;
const pushed: Push[] = [];
const asked = new Set<RouteName>();

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'impasto-routes-'));
  backend = await openBackend({ home, name: 'test', engine: { engineModule } });
  backend.on((push) => pushed.push(push));
});
afterAll(async () => {
  await backend.close();
  rmSync(home, { recursive: true, force: true });
});

/** What a window gets: through JSON, and exactly what the contract says, no field more or less than it reads. */
async function call<Name extends RouteName>(name: Name, input: RouteInput<Name>): Promise<RouteOutput<Name>> {
  asked.add(name);
  const answer = await backend.call(name, JSON.parse(JSON.stringify(input)));
  if (!answer.ok) throw Object.assign(new Error(answer.error.message), answer.error);
  return routes[name].output.parse(JSON.parse(JSON.stringify(answer.output))) as RouteOutput<Name>;
}

const heard = (name: EventName) =>
  pushed.flatMap((push) => (push.kind === 'event' && push.event.event === name ? [push.event.data] : []));
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
    expect(edited.request.seed).toBe(7);
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
    const previews = pushed.flatMap((push): JobPreview[] => (push.kind === 'preview' ? [push.preview] : []));
    expect(previews.some((preview) => preview.job === late[0] && preview.rgb.length === 6)).toBe(true);
  });

  it('has its picture at a URL, and in it how it was drawn', async () => {
    const id = ids[0] as number;
    const found = await backend.resources.find(`/jobs/${id}/pictures/0`);
    const { pictures } = await call('queue.get', { id });
    expect(found).toMatchObject({ path: pictures[0]?.path, contentType: 'image/png', bytes: pictures[0]?.bytes });
    const metadata = await call('pictures.metadata', { job: id, image: 0 });
    expect(metadata).toMatchObject({ source: 'impasto', request: { prompt: 'a red star', seed: 0 } });
    expect(await call('queue.log', { id })).toEqual({ log: '' });
    await expect(call('pictures.metadata', { job: id, image: 5 })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
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

describe('models and prompts', () => {
  it('are told from headers alone', async () => {
    const { request, reason } = await call('models.preset', { model: 'demo' });
    expect(request.model).toBe('demo');
    expect(reason).not.toBe('');
    expect((await call('models.inspect', { path: 'demo' })).problems).toEqual([]);
    const { chunks } = await call('prompt.count', { model: 'demo', prompt: 'a red star', steps: 20 });
    expect(chunks).toHaveLength(1);
    expect(chunks[0]?.used).toBeGreaterThanOrEqual(3);
    const lora = fileURLToPath(new URL('../../fixtures/adapters/rslora.safetensors', import.meta.url));
    expect(await call('adapters.inspect', { path: lora })).toMatchObject({ name: 'rslora', algorithm: 'locon' });
    await expect(call('adapters.inspect', { path: join(home, 'none') })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
    await expect(call('models.inspect', { path: join(home, 'none') })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
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
    expect(await call('pictures.metadata', { upload: first.id })).toMatchObject({ request: null, source: null });
    await expect(call('pictures.metadata', { upload: 'f'.repeat(32) })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
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

it('covers every route there is', async () => {
  expect((await call('app.info', {})).home).toBe(home);
  expect([...asked].sort()).toEqual([...routeNames].sort());
});
