import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EventName, events } from '../../contract/events.ts';
import type { HubDownload } from '../../contract/library.ts';
import { HubServer } from '../library/hub/testdata/hub-server.ts';
import { pictureBytes, writeAdapter, writePicture } from '../library/test-support.ts';
import { routesOfLibrary, startTestBackend, type TestBackend } from './test-support.ts';

const fixtures = fileURLToPath(new URL('../../fixtures', import.meta.url));
const hub = new HubServer();
let test: TestBackend;
let home: string;
beforeAll(async () => {
  await hub.start();
  test = await startTestBackend({
    library: {
      hub: { host: hub.host, pauses: [1, 1], patience: 3000 },
      // A bin of its own that can be asked back, as the desktop's.
      bin: async (path) => {
        const binned = join(home, 'bin', String(readdirSync(join(home, 'bin')).length));
        renameSync(path, binned);
        return async () => renameSync(binned, path);
      },
    },
  });
  ({ home } = test);
  mkdirSync(join(home, 'bin'));
});
afterAll(async () => {
  await test.end();
  await hub.stop();
});
const call: TestBackend['call'] = (name, input) => test.call(name, input);
const wait = { timeout: 20_000 };
const upload = async (bytes: Buffer) =>
  (
    await test.backend.uploads.add(
      (async function* () {
        yield bytes;
      })(),
    )
  ).id;
const find = (pathname: string) => test.backend.resources.find(pathname);

describe('models and adapters', () => {
  it('are listed with what their headers and sidecars tell, previews by URL', async () => {
    const path = join(home, 'models/styles/ink.safetensors');
    await writeAdapter(path);
    writeFileSync(join(dirname(path), 'ink.json'), JSON.stringify({ 'activation text': 'inkwash' }));
    writeFileSync(join(dirname(path), 'ink.preview.png'), await pictureBytes({}, { width: 600, height: 300 }));
    copyFileSync(join(fixtures, 'small/models/sd1.safetensors'), join(home, 'models/tiny.safetensors'));
    await call('library.scan', {});
    const { models, total } = await call('models.list', { kind: 'adapter', text: 'inkwash' });
    expect(total).toBe(1);
    expect(models[0]).toMatchObject({
      ...{ path, kind: 'adapter', family: 'sd1', triggers: ['inkwash'], hasPreview: true, state: 'usable' },
      layers: { unet: 1, textEncoder: 0, textEncoder2: 0, unknown: 0 },
    });
    const [suggestion, ...others] = await call('adapters.suggest', { prompt: 'a fox, inkwash', family: 'sd1' });
    expect(suggestion).toMatchObject({ path, words: ['inkwash'] });
    expect(suggestion?.score).toBeGreaterThan(0);
    expect(others).toEqual([]);
    expect(await call('adapters.suggest', { prompt: 'a fox, inkwash', family: 'sdxl' })).toEqual([]);
    await expect.poll(async () => (await call('models.get', { path })).hash, wait).toMatch(/^[0-9a-f]{10}$/);
    const preview = await find(`/models/${models[0]?.id}/preview`);
    expect(preview).toMatchObject({ contentType: 'image/webp', version: models[0]?.version });
    expect(await sharp(preview?.path).metadata()).toMatchObject({ width: 256, height: 128 });
    const checkpoint = (await call('models.list', { kind: 'checkpoint' })).models[0];
    expect(await find(`/models/${checkpoint?.id}/preview`)).toBeNull();
    expect((await call('library.info', {})).models).toContainEqual({ kind: 'adapter', state: 'usable', count: 1 });
  });

  it('are taken up one by one where they lie, and looked at from then on', async () => {
    const shelf = join(home, 'elsewhere');
    const path = join(shelf, 'alone.safetensors');
    await writeAdapter(path);
    await writeAdapter(join(shelf, 'not asked for.safetensors'));
    expect(await call('models.add', { path })).toMatchObject({ fileName: 'alone', kind: 'adapter', path });
    expect((await call('models.add', { path: join(home, 'models/tiny.safetensors') })).kind).toBe('checkpoint');
    expect((await call('library.info', {})).folders.models).toEqual([join(home, 'models'), path]);
    expect((await call('models.list', { text: 'asked' })).total).toBe(0);
    const sam = join(shelf, 'sam');
    cpSync(fileURLToPath(new URL('../../fixtures/segmentation/original', import.meta.url)), sam, { recursive: true });
    const half = { path: join(sam, 'tiny.decoder.onnx') };
    expect(await call('models.add', half)).toMatchObject({ kind: 'segmentation', state: 'usable', path: sam });
    await call('library.removeFolder', { kind: 'models', path: sam });
    rmSync(join(sam, 'tiny.encoder.onnx'));
    await expect(call('models.add', half)).rejects.toMatchObject({ code: 'PART_MISSING' });
    writeFileSync(join(shelf, 'notes.txt'), 'no model');
    for (const wrong of [join(shelf, 'notes.txt'), shelf.replace('elsewhere', 'uploads')]) {
      await expect(call('models.add', { path: wrong })).rejects.toMatchObject({
        code: /REQUEST_INVALID|FILE_NOT_FOUND/,
      });
    }
    const folders = await call('library.removeFolder', { kind: 'models', path });
    expect(folders.models).toEqual([join(home, 'models')]);
    await expect.poll(async () => (await call('models.list', { text: 'alone' })).total, wait).toBe(0);
    expect(existsSync(path)).toBe(true);
  });

  it('are told from headers alone', async () => {
    const { request, reason } = await call('models.preset', { model: 'demo' });
    expect(request.model).toBe('demo');
    expect(reason).not.toBe('');
    expect((await call('models.inspect', { path: 'demo' })).problems).toEqual([]);
    const lora = join(fixtures, 'adapters/rslora.safetensors');
    expect(await call('adapters.inspect', { path: lora })).toMatchObject({ name: 'rslora', algorithm: 'locon' });
    for (const name of ['adapters.inspect', 'models.inspect', 'models.get'] as const) {
      await expect(call(name, { path: join(home, 'none') })).rejects.toMatchObject({
        code: name === 'models.get' ? 'NOT_IN_LIBRARY' : 'FILE_NOT_FOUND',
      });
    }
  });

  it('say how they fit each other', async () => {
    const path = join(fixtures, 'adapters/rslora.safetensors');
    const fits = await call('adapters.fit', { path, model: join(fixtures, 'adapters/models/sd1-onnx') });
    expect(fits).toMatchObject({ applied: fits.of, unmatched: [], problem: null });
    expect(fits.of).toBeGreaterThan(0);
    const misfits = await call('adapters.fit', { path, model: join(fixtures, 'small/models/sdxl.safetensors') });
    expect(misfits.problem?.code).toBe('ADAPTER_WRONG_BASE');
  });
});

describe('folders', () => {
  it('come and go, and a window hears of it', async () => {
    const album = join(home, 'album');
    await writePicture(join(album, 'there.png'), { prompt: 'in the album' });
    const added = await call('library.addFolder', { kind: 'pictures', path: album });
    expect(added.pictures).toEqual([join(home, 'pictures'), album]);
    expect(await call('library.addFolder', { kind: 'pictures', path: album })).toEqual(added);
    expect(test.heard('library.folders').at(-1)).toEqual(added);
    const there = async () => (await call('pictures.list', { text: 'album' })).total;
    await expect.poll(there, wait).toBe(1);
    await expect.poll(() => test.heard('pictures.changed').length, wait).toBeGreaterThan(0);
    await call('library.removeFolder', { kind: 'pictures', path: album });
    await expect.poll(there, wait).toBe(0);
    for (const path of [join(album, 'none'), join(album, 'there.png'), 'a\0b']) {
      await expect(call('library.addFolder', { kind: 'pictures', path })).rejects.toMatchObject({
        code: expect.any(String),
      });
    }
  });
});

describe('pictures', () => {
  it('are in the library as soon as they are drawn, wherever to', async () => {
    const folder = join(home, 'out of the library');
    const requests = [{ prompt: 'drawn elsewhere', steps: 3, batch: 2 }];
    await call('queue.add', { requests, output: { folder, name: 'x-{seed}' } });
    const drawn = async () => (await call('pictures.list', { text: 'drawn', order: 'oldest' })).pictures;
    await expect.poll(async () => (await drawn()).length, wait).toBe(2);
    expect((await drawn()).map(({ path }) => path)).toEqual([join(folder, 'x-0.png'), join(folder, 'x-1.png')]);
    const [, second] = await drawn();
    expect(await call('pictures.get', { job: 1, image: 1 })).toEqual(second);
    expect(await call('pictures.get', { path: join(folder, 'x-1.png') })).toEqual(second);
    await expect(call('pictures.get', { path: join(home, 'x.png') })).rejects.toMatchObject({ code: 'NOT_IN_LIBRARY' });
    // Out of the files alone, all is there again.
    const rebuilt = await call('library.rebuild', {});
    expect(rebuilt.pictures.broken).toBe(0);
    expect(await drawn()).toHaveLength(2);
  });

  it('are fetched by their numbers, and kept by a browser where the version is named', async () => {
    const path = join(home, 'pictures/big.png');
    await writePicture(path, { prompt: 'fetched' }, { width: 512, height: 256 });
    await call('library.scan', {});
    const [picture] = (await call('pictures.list', { text: 'fetched' })).pictures;
    const { id, version } = picture as { id: number; version: string };
    expect(await find(`/pictures/${id}`)).toMatchObject({ path, contentType: 'image/png', version });
    const thumbnail = await find(`/thumbnails/${id}`);
    expect(thumbnail).toMatchObject({ contentType: 'image/webp', version });
    expect(await sharp(thumbnail?.path).metadata()).toMatchObject({ width: 256, height: 128 });
    await writePicture(path, { prompt: 'fetched anew' }, { width: 64, height: 64 });
    await call('library.scan', {});
    expect((await find(`/pictures/${id}`))?.version).not.toBe(version);
    for (const wrong of [
      '/pictures/0',
      '/pictures/999999',
      '/thumbnails/1e3',
      `/pictures/${id}/..`,
      '/pictures/../1',
    ]) {
      expect(await find(wrong), wrong).toBeNull();
    }
    writeFileSync(path, '#!/bin/sh');
    expect(await find(`/pictures/${id}`)).toBeNull();
    expect(await find(`/thumbnails/${id}`)).toBeNull();
  });

  it('are starred, moved to the bin and taken back with their stars', async () => {
    const path = join(home, 'pictures/keep.png');
    await writePicture(path, { prompt: 'keeper' });
    await call('library.scan', {});
    const list = async () => (await call('pictures.list', { text: 'keeper' })).pictures;
    const [before] = await list();
    const { id } = await call('pictures.get', { id: before?.id as number });
    await call('pictures.star', { ids: [id], star: true });
    expect((await call('pictures.facets', {})).starred).toBe(1);
    const removed = await call('pictures.remove', { ids: [id] });
    expect([removed.removed, existsSync(path), await list()]).toEqual([[id], false, []]);
    await expect(call('pictures.get', { id })).rejects.toMatchObject({ code: 'NOT_IN_LIBRARY' });
    const restored = await call('pictures.restore', { undo: removed.undo as string });
    expect(restored).toMatchObject({ pictures: [{ path, star: true }], failed: [] });
    await expect(call('pictures.restore', { undo: removed.undo as string })).rejects.toMatchObject({
      code: 'NOT_IN_LIBRARY',
    });
    expect((await call('pictures.list', { star: true })).pictures.map((picture) => picture.path)).toEqual([path]);
    // What has its name by now is not written over.
    const again = await call('pictures.remove', { ids: [(await list())[0]?.id as number] });
    expect(again.undo).not.toBeNull();
  });

  it('are taken in from files and uploads, and say how they were drawn', async () => {
    const parameters = 'imported <lora:ink:0.8>\nSteps: 25, Sampler: Euler a, CFG scale: 7, Seed: 99, Size: 64x64';
    const id = await upload(await pictureBytes({}, { parameters }));
    const sources = [{ upload: id, name: '../../etc/c:\\x/evil.html' }, { path: join(home, 'none.png') }];
    const { imported } = await call('pictures.import', { sources });
    expect(imported).toMatchObject([
      { from: sources[0]?.name, known: false, problem: null, picture: { adapters: ['ink'], seed: 99 } },
      { picture: null, problem: { code: 'FILE_NOT_FOUND' } },
    ]);
    expect(imported[0]?.picture?.path).toBe(join(home, 'pictures/imported/evil.png'));
    const picture = imported[0]?.picture?.id as number;
    const again = await call('pictures.import', { sources: [{ upload: id }] });
    expect(again.imported[0]).toMatchObject({ known: true, picture: { id: picture } });
    const metadata = await call('pictures.metadata', { picture });
    expect(metadata).toMatchObject({ source: 'infotext', infotext: parameters, request: { seed: 99 } });
    await expect(call('pictures.metadata', { upload: 'f'.repeat(32) })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
    await expect(call('pictures.metadata', { job: 1, image: 5 })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    expect(await call('pictures.metadata', { job: 1, image: 0 })).toMatchObject({ source: 'impasto' });
  });

  it('are recalled with the files that they name, by hash and by name', async () => {
    const ink = join(home, 'models/styles/ink.safetensors');
    const tiny = join(home, 'models/tiny.safetensors');
    const { bodyHash } = await call('models.get', { path: ink });
    await expect.poll(async () => (await call('models.get', { path: tiny })).hash, wait).not.toBeNull();
    const { hash } = await call('models.get', { path: tiny });
    const parameters =
      'a castle <lora:renamed:0.8>, <lora:gone:1>\nSteps: 25, Sampler: Euler a, CFG scale: 7, Seed: 99, Size: 64x64, ' +
      `Model hash: ${hash}, Model: called otherwise, Lora hashes: "renamed: ${bodyHash}, gone: 0123456789ab"`;
    const recalled = await call('pictures.recall', { upload: await upload(await pictureBytes({}, { parameters })) });
    expect(recalled).toMatchObject({
      source: 'infotext',
      request: { prompt: 'a castle', model: tiny, adapters: [{ path: ink, strength: 0.8 }, { path: 'gone' }] },
      missing: [{ field: 'adapters.1.path', name: 'gone', hash: '0123456789ab' }],
    });
    // Ours, from a machine where they lay elsewhere.
    const request = { model: 'C:\\models\\tiny.safetensors', adapters: [{ path: '/mnt/loras/ink.safetensors' }] };
    const ours = await call('pictures.recall', { upload: await upload(await pictureBytes(request)) });
    expect(ours).toMatchObject({ request: { model: tiny, adapters: [{ path: ink }] }, missing: [], source: 'impasto' });
    const plain = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    await expect(call('pictures.recall', { upload: await upload(plain) })).rejects.toMatchObject({
      code: 'NO_METADATA',
    });
  });

  it('are exported in several ways at once, the same pixels and settings, and what fails is told', async () => {
    const path = join(home, 'pictures/whole.png');
    await writePicture(path, { prompt: 'exported', seed: 5 }, { width: 40, height: 30 });
    await call('library.scan', {});
    const [picture] = (await call('pictures.list', { text: 'exported' })).pictures;
    const sources = [{ picture: picture?.id as number }, { path: join(home, 'none.png') }];
    const outputs = [
      { folder: 'exports', name: '{prompt}-{seed}' },
      { folder: 'exports', name: 'deep/{seed}', format: 'png' as const, bitDepth: 16 as const, metadata: false },
      { folder: 'exports', name: 'small', format: 'jpeg' as const, resize: { width: 20 } },
    ];
    const { written, failed } = await call('pictures.export', { sources, outputs });
    const folder = join(home, 'pictures/exports');
    expect(written.map(({ source, output, path, width }) => [source, output, path, width])).toEqual([
      [0, 0, join(folder, 'exported-5.png'), 40],
      [0, 1, join(folder, 'deep/5.png'), 40],
      [0, 2, join(folder, 'small.jpg'), 20],
    ]);
    expect(failed.map(({ source, output, problem }) => [source, output, problem.code])).toEqual(
      [0, 1, 2].map((output) => [1, output, 'FILE_NOT_FOUND']),
    );
    const raw = (file: string) => sharp(file).raw().toBuffer();
    expect((await raw(join(folder, 'exported-5.png'))).equals(await raw(path))).toBe(true);
    expect(await sharp(join(folder, 'deep/5.png')).metadata()).toMatchObject({ depth: 'ushort' });
    const metadataOf = (file: string) => call('pictures.metadata', { path: join(folder, file) });
    expect(await metadataOf('exported-5.png')).toMatchObject({ source: 'impasto', request: { seed: 5 } });
    expect(await metadataOf('small.jpg')).toMatchObject({ source: 'impasto', request: { prompt: 'exported' } });
    expect((await metadataOf('deep/5.png')).source).toBeNull();
    for (const output of [{ folder: '../..' }, { folder: 'x', name: '../y' }]) {
      await expect(call('pictures.export', { sources, outputs: [output] })).rejects.toMatchObject({
        code: /PATH_ESCAPES|REQUEST_INVALID/,
      });
    }
  });

  it('of another tool keep its text when they are exported', async () => {
    const parameters = 'theirs\nSteps: 25, Sampler: Euler a, CFG scale: 7, Seed: 99, Size: 16x16, Version: v1.9.3';
    const source = { upload: await upload(await pictureBytes({}, { parameters })) };
    const output = { folder: 'exports', name: '{prompt}-{model}', format: 'webp' as const };
    const { written } = await call('pictures.export', { sources: [source], outputs: [output] });
    const metadata = await call('pictures.metadata', { path: written[0]?.path as string });
    expect(metadata).toMatchObject({ source: 'infotext', infotext: parameters });
  });
});

describe('the hub', () => {
  const bytes = (length: number) => Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 31) & 255));

  it('shows a plan, fetches what was agreed to, stops, goes on and tells how it goes', async () => {
    hub.repositories.set('artist/ink', {
      files: { 'README.md': bytes(10), 'ink.safetensors': bytes(200_000) },
      licence: 'openrail++',
    });
    const reference = 'artist/ink';
    const plan = await call('hub.plan', { reference });
    expect(plan).toMatchObject({ layout: 'files', bytes: 200_000, licence: { id: 'openrail++' } });
    const asked = { reference, commit: plan.commit, acceptLicence: 'openrail++' };
    await expect(call('hub.fetch', { ...asked, acceptLicence: 'mit' })).rejects.toMatchObject({
      code: 'LICENCE_NOT_ACCEPTED',
    });
    hub.faults = [{ path: 'ink.safetensors', fault: 'stall' }];
    const begun = await call('hub.fetch', asked);
    const { id } = begun;
    expect(begun).toMatchObject({ state: 'running', reference });
    expect((await call('hub.fetch', asked)).id).toBe(id);
    const last = () => test.heard('hub.download').at(-1) as HubDownload | undefined;
    await expect.poll(() => last()?.progress?.received ?? 0, wait).toBeGreaterThan(0);
    expect(await call('hub.stop', { id })).toMatchObject({ state: 'stopped', error: null });
    expect(existsSync(join(home, 'models/artist/ink/ink.safetensors'))).toBe(false);
    hub.faults = [];
    await call('hub.resume', { id });
    await expect.poll(() => last()?.state, wait).toBe('done');
    expect(last()).toMatchObject({ path: join(home, 'models/artist/ink/ink.safetensors') });
    expect(readFileSync(last()?.path as string).equals(bytes(200_000))).toBe(true);
    await expect.poll(async () => (await call('models.list', { text: 'ink' })).total, wait).toBeGreaterThan(1);
    expect((await call('hub.list', {})).downloads).toMatchObject([{ id, state: 'done' }]);
    await call('hub.discard', { id });
    expect(await call('hub.list', {})).toEqual({ downloads: [] });
    expect(existsSync(join(home, 'models/artist/ink/ink.safetensors'))).toBe(true);
  });

  it('throws away what has arrived where it is told to', async () => {
    hub.repositories.set('artist/big', { files: { 'big.safetensors': bytes(300_000) }, licence: 'mit' });
    const { commit } = await call('hub.plan', { reference: 'artist/big' });
    hub.faults = [{ path: 'big.safetensors', fault: 'stall' }];
    const { id } = await call('hub.fetch', { reference: 'artist/big', commit, acceptLicence: 'mit' });
    await expect.poll(() => existsSync(join(home, 'models/.downloads')), wait).toBe(true);
    await call('hub.discard', { id });
    expect(existsSync(join(home, 'models/.downloads'))).toBe(false);
    await expect(call('hub.resume', { id })).rejects.toMatchObject({ code: 'NOT_IN_LIBRARY' });
    for (const reference of ['../../x', 'a/b/../../c', 'file:///etc/passwd', 'http://127.0.0.1:1/a/b']) {
      await expect(call('hub.plan', { reference }), reference).rejects.toMatchObject({ code: 'HUB_REFERENCE' });
    }
  });
});

it('covers every route of the library, and all that is told is what the contract says', () => {
  expect([...test.asked].filter((name) => routesOfLibrary.includes(name)).sort()).toEqual([...routesOfLibrary].sort());
  for (const name of Object.keys(events) as EventName[]) {
    for (const data of test.heard(name)) events[name].parse(JSON.parse(JSON.stringify(data)));
  }
});
