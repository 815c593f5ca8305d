import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HubPlan, HubProgress } from '../../../contract/library.ts';
import { temporaryFolder } from '../test-support.ts';
import { Hub, type HubDownloads } from './hub.ts';
import { parseHubReference } from './hub-reference.ts';
import { HubServer } from './testdata/hub-server.ts';

let server: HubServer;
beforeEach(async () => {
  server = new HubServer();
  await server.start();
});
afterEach(() => server.stop());

const bytes = (seed: number, length = 200_000) =>
  Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7) & 255));
const text = (value: string) => Buffer.from(value);

const diffusers = () => ({
  'README.md': text('# card'),
  '.gitattributes': text('*.safetensors filter=lfs'),
  'model_index.json': text('{"_class_name": "StableDiffusionPipeline"}'),
  'v1-5-pruned.safetensors': bytes(9),
  'v1-5-pruned.ckpt': bytes(9),
  'unet/config.json': text('{}'),
  'unet/diffusion_pytorch_model.safetensors': bytes(1),
  'unet/diffusion_pytorch_model.fp16.safetensors': bytes(2, 100_000),
  'unet/diffusion_pytorch_model.bin': bytes(3),
  'vae/config.json': text('{"v": 1}'),
  'vae/diffusion_pytorch_model.safetensors': bytes(4),
  'tokenizer/vocab.json': text('{"a": 1}'),
  'tokenizer/merges.txt': text('#version'),
  'safety_checker/model.safetensors': bytes(5),
});

function openHub(options: Partial<HubDownloads> = {}) {
  const folder = temporaryFolder();
  return { folder, hub: new Hub({ host: server.host, folder, pauses: [1, 1, 1], patience: 400, ...options }) };
}

/** Files below a folder, hidden ones too. */
function tree(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

const accept = (plan: HubPlan) => ({ acceptLicence: plan.licence.id });

describe('references', () => {
  it.each([
    ['a/b', 'a/b', 'main', null],
    [' stabilityai/sd-turbo@fp16:unet/ ', 'stabilityai/sd-turbo', 'fp16', 'unet'],
    ['a/b@refs/pr/3', 'a/b', 'refs/pr/3', null],
    ['a/b.c_d:x/y z.safetensors', 'a/b.c_d', 'main', 'x/y z.safetensors'],
    ['http://hub.test/a/b/blob/main/x/y.safetensors', 'a/b', 'main', 'x/y.safetensors'],
    ['http://hub.test/a/b', 'a/b', 'main', null],
  ])('%j', (given, id, revision, inside) => {
    expect(parseHubReference(given, 'http://hub.test')).toEqual({ id, revision, inside });
  });

  it.each([
    ...['', 'a', 'a/b/c', '../b', 'a/..', 'a/b@../x', 'a/b:../../etc', 'a/b:/etc/passwd', 'a/b:x/../../y', 'a/b:C:\\x'],
    ...['a/b?x=1', 'a/b#f', 'a b/c', 'a/b:con', 'a/b:.git/config', 'a/b:x\u0000y', 'http://evil.test/a/b', 'a/b@x y'],
  ])('refuses %j', (given) => {
    expect(() => parseHubReference(given, 'http://hub.test')).toThrow(
      expect.objectContaining({ code: 'HUB_REFERENCE' }),
    );
  });
});

describe('a plan', () => {
  it('takes the parts that are drawn with, smaller weights first, and says what it leaves and under which licence', async () => {
    const files = { ...diffusers(), 'start_settings.json': text('{ "steps": 8 }') };
    server.repositories.set('art/paint', { files, licence: 'openrail++', gated: true });
    const { hub, folder } = openHub();
    const plan = await hub.plan('art/paint');
    expect(plan.files.map(({ path }) => path)).toEqual([
      'model_index.json',
      'start_settings.json',
      'unet/config.json',
      'unet/diffusion_pytorch_model.fp16.safetensors',
      'vae/config.json',
      'vae/diffusion_pytorch_model.safetensors',
      'tokenizer/vocab.json',
      'tokenizer/merges.txt',
    ]);
    expect(Object.fromEntries(plan.skipped.map(({ path, why }) => [path, why]))).toEqual({
      'v1-5-pruned.safetensors': 'the same model once more, in one file',
      'v1-5-pruned.ckpt': 'a pickle, which Impasto never opens',
      'unet/diffusion_pytorch_model.safetensors': 'the fp16 weights beside it are used',
      'unet/diffusion_pytorch_model.bin': 'a pickle, which Impasto never opens',
      'safety_checker/model.safetensors': 'Impasto does not use safety_checker',
    });
    expect(plan).toMatchObject({
      ...{ id: 'art/paint', commit: server.commit, layout: 'folder', bytesHere: 0, licence: { id: 'openrail++' } },
      folder: join(folder, 'art/paint'),
    });
    expect(plan.bytes).toBe(plan.files.reduce((sum, file) => sum + file.bytes, 0));
    expect(plan.notes.join(' ')).toMatch(/terms.*fp16/);
  });

  it('of a segmentation model takes its two plain halves, with the weights beside them', async () => {
    const halves = ['vision_encoder', 'prompt_encoder_mask_decoder'];
    const names = halves.flatMap((half) => ['', '_fp16', '_quantized'].map((kind) => `onnx/${half}${kind}.onnx`));
    const files = Object.fromEntries([...names, 'onnx/vision_encoder.onnx_data'].map((name, at) => [name, bytes(at)]));
    server.repositories.set('art/slimsam', {
      files: { ...files, 'config.json': text('{}'), 'model.safetensors': bytes(9) },
    });
    const { hub, folder } = openHub();
    const plan = await hub.plan('art/slimsam');
    expect(plan).toMatchObject({ layout: 'folder', folder: join(folder, 'art/slimsam') });
    expect(plan.files.map(({ path }) => path).sort()).toEqual([
      'config.json',
      'onnx/prompt_encoder_mask_decoder.onnx',
      'onnx/vision_encoder.onnx',
      'onnx/vision_encoder.onnx_data',
    ]);
    expect(plan.skipped).toHaveLength(4);
    expect(plan.notes.join(' ')).toContain('Segment Anything');
  });

  it('of single files, of one file, of shards with a variant, and of nothing but pickles', async () => {
    const files = {
      'a.safetensors': bytes(1),
      'b.safetensors': bytes(2),
      'c.ckpt': bytes(3),
      'sub/d.safetensors': bytes(4),
    };
    server.repositories.set('art/files', { files });
    const shards = {
      'model_index.json': text('{}'),
      'unet/diffusion_pytorch_model-00001-of-00002.safetensors': bytes(1),
      'unet/diffusion_pytorch_model-00002-of-00002.safetensors': bytes(2),
      'unet/diffusion_pytorch_model.safetensors.index.json': text('{}'),
      'unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors': bytes(3),
      'unet/diffusion_pytorch_model.safetensors.index.fp16.json': text('{"x": 1}'),
    };
    server.repositories.set('art/shards', { files: shards });
    server.repositories.set('art/pickles', { files: { 'a.ckpt': bytes(1), 'config.json': text('{}') } });
    const { hub } = openHub();
    const paths = async (reference: string) => (await hub.plan(reference)).files.map(({ path }) => path);
    expect(await paths('art/files')).toEqual(['a.safetensors', 'b.safetensors']);
    expect(await paths('art/files:sub/d.safetensors')).toEqual(['sub/d.safetensors']);
    expect(await paths('art/files:sub')).toEqual(['sub/d.safetensors']);
    expect(await paths('art/shards')).toEqual([
      'model_index.json',
      'unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors',
      'unet/diffusion_pytorch_model.safetensors.index.fp16.json',
    ]);
    expect((await hub.plan('art/files')).licence.id).toBe('unknown');
    await expect(hub.plan('art/pickles')).rejects.toMatchObject({ code: 'HUB_NOT_FOUND', message: /only pickles/ });
    await expect(hub.plan('art/files:c.ckpt')).rejects.toMatchObject({ code: 'PICKLE_REFUSED' });
  });

  it('refuses a repository whose names lead out of its folder', async () => {
    for (const claim of ['../../../evil.safetensors', 'unet\\..\\..\\x.json', 'unet/con.json', '/etc/x.json']) {
      server.repositories.set('art/evil', { files: diffusers(), claims: [claim] });
      await expect(openHub().hub.plan('art/evil')).rejects.toMatchObject({ code: 'PATH_ESCAPES' });
    }
  });
});

describe('a download', () => {
  it('places the whole folder at once, each file checked, and fetches nothing again', async () => {
    server.repositories.set('art/paint', { files: diffusers(), licence: 'mit' });
    const { hub, folder } = openHub();
    const plan = await hub.plan('art/paint');
    const told: HubProgress[] = [];
    const { path } = await hub.download(plan, { ...accept(plan), onProgress: (progress) => told.push(progress) });
    expect(path).toBe(join(folder, 'art/paint'));
    expect(tree(folder)).toEqual(
      ['.impasto-hub.json', ...plan.files.map((file) => file.path)].map((name) => `art/paint/${name}`).sort(),
    );
    for (const file of plan.files) {
      const original = (diffusers() as Record<string, Buffer>)[file.path] as Buffer;
      expect(readFileSync(join(path, file.path)).equals(original)).toBe(true);
    }
    expect(told.at(-1)).toMatchObject({ received: plan.bytes, total: plan.bytes, fileIndex: plan.files.length - 1 });
    expect(told.every((one, index) => index === 0 || one.received >= (told[index - 1]?.received ?? 0))).toBe(true);
    const requests = server.hub.length;
    const again = await hub.plan('art/paint');
    expect([again.bytesHere, again.folder]).toEqual([again.bytes, path]);
    await hub.download(again, accept(again));
    expect(server.hub.length).toBe(requests + 1);
  });

  it('gives another state of the model another name', async () => {
    server.repositories.set('art/paint', { files: diffusers() });
    const { hub, folder } = openHub();
    const first = await hub.plan('art/paint');
    await hub.download(first, accept(first));
    server.repositories.set('art/paint', { files: { ...diffusers(), 'vae/config.json': text('{"v": 2}') } });
    server.commit = 'b'.repeat(40);
    const second = await hub.plan('art/paint');
    expect((await hub.download(second, accept(second))).path).toBe(join(folder, 'art', `paint@${'b'.repeat(12)}`));
    expect(readFileSync(join(folder, 'art/paint/vae/config.json'), 'utf8')).toBe('{"v": 1}');
  });

  it('of single files puts each beside the others and touches no file of the artist', async () => {
    server.repositories.set('art/files', { files: { 'a.safetensors': bytes(1), 'b.safetensors': bytes(2) } });
    const { hub, folder } = openHub();
    const a = await hub.plan('art/files:a.safetensors');
    expect((await hub.download(a, accept(a))).path).toBe(join(folder, 'art/files/a.safetensors'));
    writeFileSync(join(folder, 'art/files/b.safetensors'), 'mine');
    const b = await hub.plan('art/files:b.safetensors');
    await expect(hub.download(b, accept(b))).rejects.toMatchObject({ code: 'WRITE_FAILED' });
    expect(readFileSync(join(folder, 'art/files/b.safetensors'), 'utf8')).toBe('mine');
    expect(readFileSync(join(folder, 'art/files/a.safetensors')).equals(bytes(1))).toBe(true);
  });

  it('does not begin before its licence is agreed to, nor without room', async () => {
    server.repositories.set('art/files', { files: { 'a.safetensors': bytes(1) }, licence: 'cc-by-nc-4.0' });
    const { hub, folder } = openHub();
    const plan = await hub.plan('art/files');
    for (const acceptLicence of ['', 'mit', 'unknown']) {
      await expect(hub.download(plan, { acceptLicence })).rejects.toMatchObject({
        code: 'LICENCE_NOT_ACCEPTED',
        message: /cc-by-nc-4\.0/,
      });
    }
    const full = new Hub({ host: server.host, folder, statfs: async () => ({ bavail: 1000, bsize: 4096 }) });
    expect((await full.plan('art/files')).bytesFree).toBe(4_096_000);
    await expect(full.download(plan, accept(plan))).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(server.store).toEqual([]);
    expect(tree(folder)).toEqual([]);
  });

  it('goes on where the connection broke, was silent, or failed', async () => {
    server.repositories.set('art/files', { files: { 'a.safetensors': bytes(1) } });
    server.faults = (['cut', 'stall', 'error', 'cut'] as const).map((fault) => ({ path: 'a.safetensors', fault }));
    const { hub } = openHub();
    const plan = await hub.plan('art/files');
    const { path } = await hub.download(plan, accept(plan));
    expect(readFileSync(path).equals(bytes(1))).toBe(true);
    const starts = server.store.map(({ range }) => Number(/\d+/.exec(range ?? '0')?.[0]));
    expect(starts).toHaveLength(5);
    // Each goes on where the last one ended: the two that brought something, and the one that failed.
    const [first, second, third, fourth, fifth] = starts as [number, number, number, number, number];
    expect(first).toBe(0);
    expect(second).toBeGreaterThan(first);
    expect(third).toBeGreaterThan(second);
    expect(fourth).toBe(third);
    expect(fifth).toBeGreaterThan(fourth);
    expect(server.store[1]?.ifRange).toMatch(/^"[0-9a-f]{32}"$/);
  });

  it('that was stopped goes on later, in another process, from what is here', async () => {
    server.repositories.set('art/files', { files: { 'a.safetensors': bytes(1) } });
    server.faults = [{ path: 'a.safetensors', fault: 'stall' }];
    const { hub, folder } = openHub({ patience: 60_000 });
    const plan = await hub.plan('art/files');
    const controller = new AbortController();
    const stopped = hub.download(plan, {
      ...accept(plan),
      signal: controller.signal,
      onProgress: ({ received }) => received > 0 && controller.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(existsSync(join(folder, 'art'))).toBe(false);
    const later = new Hub({ host: server.host, folder, pauses: [] });
    const again = await later.plan('art/files');
    expect(again.bytesHere).toBeGreaterThan(0);
    const { path } = await later.download(again, accept(again));
    expect(readFileSync(path).equals(bytes(1))).toBe(true);
    expect(server.store.at(-1)?.range).toBe(`bytes=${again.bytesHere}-`);
    expect(tree(folder)).toEqual(['art/files/.impasto-hub.json', 'art/files/a.safetensors']);
  });

  it('begins a file anew where its store will not send the rest, or what is here is damaged', async () => {
    server.repositories.set('art/files', { files: { 'a.safetensors': bytes(1) } });
    server.faults = [
      { path: 'a.safetensors', fault: 'cut' },
      { path: 'a.safetensors', fault: 'ignore-range' },
    ];
    const first = openHub();
    const plan = await first.hub.plan('art/files');
    const { path } = await first.hub.download(plan, accept(plan));
    expect(readFileSync(path).equals(bytes(1))).toBe(true);

    server.faults = [{ path: 'a.safetensors', fault: 'cut' }];
    const second = openHub({ pauses: [] });
    const other = await second.hub.plan('art/files');
    await expect(second.hub.download(other, accept(other))).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' });
    const part = tree(second.folder).find((name) => name.endsWith('.part')) as string;
    const damaged = readFileSync(join(second.folder, part));
    damaged[100] = (damaged[100] as number) ^ 1;
    writeFileSync(join(second.folder, part), damaged);
    const mended = await second.hub.download(other, accept(other));
    expect(readFileSync(mended.path).equals(bytes(1))).toBe(true);
  });

  it('with a wrong checksum is thrown away', async () => {
    server.repositories.set('art/files', { files: { 'a.safetensors': bytes(1) } });
    server.faults = [{ path: 'a.safetensors', fault: 'corrupt' }];
    const { hub, folder } = openHub();
    const plan = await hub.plan('art/files');
    await expect(hub.download(plan, accept(plan))).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' });
    expect(tree(folder).filter((name) => !name.endsWith('.json'))).toEqual([]);
    await hub.download(plan, accept(plan));
    expect(tree(folder)).toContain('art/files/a.safetensors');
  });

  it('of what was seen is that commit, whatever the branch has become', async () => {
    server.repositories.set('art/files', { files: { 'a.safetensors': bytes(1) } });
    const { hub } = openHub();
    const { commit, licence } = await hub.plan('art/files');
    server.commit = 'c'.repeat(40);
    await expect(hub.fetch('art/files', { commit, acceptLicence: licence.id })).rejects.toMatchObject({
      code: 'HUB_NOT_FOUND',
    });
    await hub.fetch('art/files', { commit: server.commit, acceptLicence: licence.id });
  });
});

describe('the token', () => {
  it('goes to the hub alone, and into no message and no file', async () => {
    server.repositories.set('art/gated', { files: { 'a.safetensors': bytes(1) }, gated: true });
    const { hub, folder } = openHub({ token: server.token });
    const plan = await hub.plan('art/gated');
    await hub.download(plan, accept(plan));
    expect(server.hub.every(({ authorization }) => authorization === `Bearer ${server.token}`)).toBe(true);
    expect(server.store.map(({ authorization }) => authorization)).toEqual([undefined]);
    for (const name of tree(folder)) expect(readFileSync(join(folder, name)).includes(server.token)).toBe(false);
    const wrong = openHub({ token: 'hf_wrong_token' }).hub;
    const refused = await wrong.download(await wrong.plan('art/gated'), accept(plan)).catch((thrown: Error) => thrown);
    expect(refused).toMatchObject({ code: 'HUB_REFUSED' });
    expect(JSON.stringify([refused, (refused as Error).message, (refused as Error).stack])).not.toContain('hf_wrong');
  });
});

describe('what the hub refuses is told so that a person knows what to do', () => {
  it.each([
    ['art/none', 'HUB_NOT_FOUND', /no public model/],
    ['art/gated@nowhere', 'HUB_NOT_FOUND', /no such revision/],
  ])('%s', async (reference, code, message) => {
    server.repositories.set('art/gated', { files: { 'a.safetensors': bytes(1) }, gated: true });
    await expect(openHub().hub.plan(reference)).rejects.toMatchObject({ code, message });
  });

  it('a gated model, a redirect without end, a server that is off, one that is no hub', async () => {
    server.repositories.set('art/gated', { files: { 'a.safetensors': bytes(1) }, gated: true });
    const { hub } = openHub();
    const plan = await hub.plan('art/gated');
    await expect(hub.download(plan, accept(plan))).rejects.toMatchObject({
      code: 'HUB_REFUSED',
      message: /gated/,
      remedy: /access token/,
    });
    server.repositories.set('art/open', { files: { 'a.safetensors': bytes(1) } });
    server.faults = Array.from({ length: 60 }, () => ({ path: 'a.safetensors', fault: 'redirect-loop' as const }));
    const open = await hub.plan('art/open');
    await expect(hub.download(open, accept(open))).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' });
    const off = new Hub({ host: 'http://127.0.0.1:1', folder: temporaryFolder() });
    await expect(off.plan('art/open')).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' });
    const folder = join(temporaryFolder(), 'file');
    mkdirSync(folder);
    writeFileSync(join(folder, 'models'), 'a file');
    const blocked = new Hub({ host: server.host, folder: join(folder, 'models') });
    await expect(blocked.plan('art/open')).rejects.toMatchObject({ code: 'WRITE_FAILED' });
  });
});
