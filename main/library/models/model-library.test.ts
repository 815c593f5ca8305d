import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { writeSafetensors } from '../../../models/weights/write-safetensors.ts';
import type { Database } from '../../database/database.ts';
import { floats, openIndex, temporaryFolder, writeAdapter } from '../test-support.ts';
import { ModelLibrary } from './model-library.ts';

const fixtures = resolve(import.meta.dirname, '../../../fixtures/small/models');

function openModels(folders: string[], database: Database = openIndex()): ModelLibrary {
  const models = new ModelLibrary({ database, folders: () => folders });
  onTestFinished(() => models.close());
  return models;
}

const byName = (models: ModelLibrary) =>
  new Map(models.list({ limit: 1000 }).models.map((model) => [model.name, model]));

describe('a scan of a new folder', () => {
  it('has what came into it before it was watched', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'new'));
    const models = openModels([folder]);
    models.events.once('folders', () =>
      symlinkSync(join(fixtures, 'sdxl.safetensors'), join(folder, 'new/late.safetensors')),
    );
    await models.scan();
    expect([...byName(models).keys()]).toEqual(['late']);
  });

  it('ends, though folders come all the time', async () => {
    const folder = temporaryFolder();
    const models = openModels([folder]);
    let walks = 0;
    models.events.on('folders', () => mkdirSync(join(folder, `new-${++walks}`)));
    await models.scan();
    expect(walks).toBe(3);
  });
});

describe('a scan of real models', () => {
  it('tells checkpoints in every layout, adapters, VAEs and embeddings from their headers', async () => {
    const folder = temporaryFolder();
    for (const name of ['sd1', 'turbo-onnx', 'sd2v.safetensors', 'sdxl.safetensors']) {
      symlinkSync(join(fixtures, name), join(folder, name));
    }
    await writeAdapter(join(folder, 'ink.safetensors'), {
      width: 2048,
      rank: 8,
      metadata: { 'modelspec.trigger_phrase': 'ink wash', 'modelspec.description': 'Brush &amp; ink' },
    });
    await writeAdapter(join(folder, 'pytorch_lora_weights.safetensors'));
    await writeSafetensors(join(folder, 'hand.safetensors'), { emb_params: floats([2, 768]) });
    await writeSafetensors(join(folder, 'vae.safetensors'), {
      'encoder.conv_in.weight': floats([4, 3, 3, 3]),
      'decoder.conv_in.weight': floats([4, 4, 3, 3]),
    });
    const models = openModels([folder]);
    const report = await models.scan();
    const found = byName(models);
    expect(report).toMatchObject({ found: 8, added: 8, changed: 0, removed: 0, broken: 0, warnings: [] });
    expect(found.get('sd1')).toMatchObject({ kind: 'checkpoint', layout: 'diffusers', family: 'sd1', state: 'usable' });
    expect(found.get('turbo-onnx')).toMatchObject({ kind: 'checkpoint', layout: 'onnx', variant: 'turbo' });
    expect(found.get('sd2v')).toMatchObject({ kind: 'checkpoint', layout: 'single-file', family: 'sd2' });
    expect(found.get('sdxl')).toMatchObject({ kind: 'checkpoint', family: 'sdxl' });
    expect(found.get('sdxl')?.bytes).toBe(readFileSync(join(fixtures, 'sdxl.safetensors')).length);
    expect(found.get('ink')).toMatchObject({
      kind: 'adapter',
      family: 'sdxl',
      algorithm: 'lora',
      rank: 8,
      dtype: 'F32',
      triggers: ['ink wash'],
    });
    expect(found.get('hand')).toMatchObject({ kind: 'embedding', family: 'sd1' });
    expect(found.get('vae')).toMatchObject({ kind: 'vae', state: 'usable' });
    // A name that every tool gives is no name: the folder's is.
    expect([...found.values()].filter(({ path }) => path.endsWith('pytorch_lora_weights.safetensors'))).toEqual([
      expect.objectContaining({ family: 'sd1', fileName: folder.split('/').at(-1) }),
    ]);
    expect(models.list({ kind: 'checkpoint', family: 'sdxl' }).models.map(({ name }) => name)).toContain('sdxl');
    expect(models.list({ text: 'WASH ink' }).models.map(({ name }) => name)).toEqual(['ink']);
  });

  it('tells a segmentation model from two ONNX files by its graphs, and no checkpoint', async () => {
    const folder = temporaryFolder();
    const sam = resolve(fixtures, '../../segmentation');
    symlinkSync(join(sam, 'original'), join(folder, 'mobile'));
    mkdirSync(join(folder, 'slim'));
    symlinkSync(join(sam, 'optimum'), join(folder, 'slim/onnx'));
    cpSync(join(sam, 'original'), join(folder, 'mixed'), { recursive: true });
    cpSync(join(sam, 'optimum/vision_encoder.onnx'), join(folder, 'mixed/tiny.encoder.onnx'));
    cpSync(join(sam, 'optimum/prompt_encoder_mask_decoder.onnx'), join(folder, 'mixed/tiny.decoder.onnx'));
    cpSync(join(sam, 'original/tiny.encoder.onnx'), join(folder, 'mixed/tiny.encoder.onnx'));
    mkdirSync(join(folder, 'speech'));
    for (const half of ['encoder', 'decoder']) {
      cpSync(join(fixtures, 'turbo-onnx/unet/model.onnx'), join(folder, `speech/${half}_model.onnx`));
    }
    const models = openModels([folder]);
    expect(await models.scan()).toMatchObject({ found: 4, broken: 2 });
    const found = byName(models);
    for (const name of ['mobile', 'slim']) {
      expect(found.get(name)).toMatchObject({
        ...{ kind: 'segmentation', layout: 'onnx', state: 'usable', trainedSize: 128, path: join(folder, name) },
      });
    }
    expect(found.get('mixed')).toMatchObject({ kind: 'segmentation', problem: { code: 'TENSOR_SHAPE' } });
    expect(found.get('speech')).toMatchObject({ kind: 'other', problem: { code: 'UNKNOWN_ARCHITECTURE' } });
    expect(models.list({ kind: 'segmentation', usable: true }).total).toBe(2);
    expect(models.list({ kind: 'checkpoint' }).total).toBe(0);
  });

  it('lists what is broken or refused with the reason, and goes on', async () => {
    const folder = temporaryFolder();
    await writeAdapter(join(folder, 'good.safetensors'));
    const whole = readFileSync(join(fixtures, 'sd1.safetensors'));
    writeFileSync(join(folder, 'cut.safetensors'), whole.subarray(0, whole.length >> 1));
    writeFileSync(join(folder, 'empty.safetensors'), '');
    writeFileSync(join(folder, 'page.safetensors'), '<!doctype html><title>Sign in</title>');
    writeFileSync(join(folder, 'old.ckpt'), Buffer.from('80027d71002e', 'hex'));
    const bomb = Buffer.alloc(64);
    bomb.writeBigUInt64LE(99_999_999_999n);
    bomb.write('{"', 8);
    writeFileSync(join(folder, 'bomb.safetensors'), bomb);
    await writeSafetensors(join(folder, 'flux.safetensors'), { 'double_blocks.0.img_attn.qkv.weight': floats([3, 3]) });
    cpSync(join(fixtures, 'sd1'), join(folder, 'headless'), { recursive: true });
    rmSync(join(folder, 'headless/text_encoder'), { recursive: true });
    const models = openModels([folder]);
    const report = await models.scan();
    const codes = Object.fromEntries([...byName(models)].map(([name, { problem }]) => [name, problem?.code ?? null]));
    expect(codes).toEqual({
      good: null,
      cut: 'TENSOR_OUT_OF_RANGE',
      empty: 'NOT_SAFETENSORS',
      page: 'NOT_SAFETENSORS',
      old: 'PICKLE_REFUSED',
      bomb: 'HEADER_TOO_LARGE',
      flux: 'UNKNOWN_ARCHITECTURE',
      headless: 'PART_MISSING',
    });
    expect(report).toMatchObject({ found: 8, broken: 7 });
    expect(models.list({ usable: true }).models.map(({ name }) => name)).toEqual(['good']);
  });

  it('reads nothing twice, follows changes, and keeps what lies on a disk that is away', async () => {
    const folder = temporaryFolder();
    const shelf = join(folder, 'shelf');
    mkdirSync(shelf);
    const database = openIndex();
    await writeAdapter(join(shelf, 'a.safetensors'));
    await writeAdapter(join(shelf, 'b.safetensors'));
    const models = openModels([shelf], database);
    expect(await models.scan()).toMatchObject({ found: 2, added: 2 });
    const progress: unknown[] = [];
    models.events.on('progress', (told) => progress.push(told));
    expect(await models.scan()).toMatchObject({ found: 2, added: 0, changed: 0, removed: 0 });
    expect(progress).toEqual([]);

    await writeAdapter(join(shelf, 'b.safetensors'), { width: 2048, rank: 16 });
    rmSync(join(shelf, 'a.safetensors'));
    await writeAdapter(join(shelf, 'c.safetensors'));
    expect(await models.scan()).toMatchObject({ found: 2, added: 1, changed: 1, removed: 1 });
    expect(byName(models).get('b')).toMatchObject({ family: 'sdxl', rank: 16 });
    expect([...byName(models).keys()]).toEqual(['b', 'c']);

    renameSync(shelf, join(folder, 'away'));
    const away = await models.scan();
    expect(away.removed).toBe(0);
    expect(away.warnings[0]).toMatchObject({ code: 'FOLDER_UNREADABLE' });
    expect(models.list().total).toBe(2);
    renameSync(join(folder, 'away'), shelf);

    // A folder that is no longer wanted takes its models along.
    const fewer = openModels([], database);
    expect(await fewer.scan()).toMatchObject({ removed: 2 });
    expect(fewer.list().total).toBe(0);
  });

  it('follows links, and a loop of them only once', async () => {
    const folder = temporaryFolder();
    const elsewhere = temporaryFolder();
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    await writeAdapter(join(folder, 'a/b/deep.safetensors'));
    await writeAdapter(join(elsewhere, 'linked.safetensors'));
    symlinkSync(elsewhere, join(folder, 'link'));
    symlinkSync(folder, join(folder, 'a/loop'));
    symlinkSync(join(folder, 'a'), join(folder, 'zzz'));
    symlinkSync(join(folder, 'nowhere'), join(folder, 'gone'));
    const models = openModels([folder, join(folder, 'a')]);
    const report = await models.scan();
    const paths = models.list().models.map(({ path }) => path);
    expect(paths).toEqual([join(folder, 'a/b/deep.safetensors'), join(folder, 'link/linked.safetensors')]);
    expect(report.warnings.map(({ code }) => code)).toEqual(['LINK_BROKEN']);
  });

  it('takes a repository that holds a folder model and single files as both', async () => {
    const folder = temporaryFolder();
    cpSync(join(fixtures, 'sd1'), join(folder, 'repo'), { recursive: true });
    cpSync(join(fixtures, 'sd1.safetensors'), join(folder, 'repo/pruned.safetensors'));
    const models = openModels([folder]);
    await models.scan();
    expect(models.list().models.map(({ name, layout }) => [name, layout])).toEqual([
      ['pruned', 'single-file'],
      ['repo', 'diffusers'],
    ]);
  });
});

describe('what lies beside a model', () => {
  it('gives it name, triggers, text and picture; a changed one is read again, a broken one noted', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'Ink.safetensors');
    await writeAdapter(path, { metadata: { 'modelspec.trigger_phrase': 'from the header' } });
    const info = {
      name: 'v2',
      model: { name: 'Ink <b>wash</b>' },
      trainedWords: ['inkwash, brush', 'ink style'],
      baseModel: 'SDXL 1.0',
      description: '<p>Use at <em>0.7</em> &amp; up.</p><script>alert(1)</script>\u001b[31m',
    };
    writeFileSync(join(folder, 'Ink.civitai.info'), JSON.stringify(info));
    writeFileSync(join(folder, 'ink.json'), JSON.stringify({ 'preferred weight': 0.7, 'activation text': 'brush' }));
    writeFileSync(join(folder, 'Ink.preview.png'), 'x');
    writeFileSync(join(folder, 'Inkling.png'), 'not its own');
    const models = openModels([folder]);
    await models.scan();
    expect(models.get(path)).toMatchObject({
      name: 'Ink wash (v2)',
      fileName: 'Ink',
      triggers: ['inkwash', 'brush', 'ink style'],
      description: expect.stringMatching(/^Use at 0.7 & up\.\n/),
      base: 'SD 1.x',
      strength: 0.7,
      hasPreview: true,
    });
    for (const forbidden of ['<', '\u001b']) expect(models.get(path).description).not.toContain(forbidden);
    const { id, version } = models.get(path);
    expect(models.preview(id)).toEqual({ path: join(folder, 'Ink.preview.png'), version });
    writeFileSync(join(folder, 'Ink.civitai.info'), '{"name": ');
    expect(await models.scan()).toMatchObject({ changed: 1 });
    expect(models.get(path)).toMatchObject({ name: 'Ink', triggers: ['brush'], state: 'usable' });
    expect(models.get(path).notes).toEqual(['Ink.civitai.info was not read: it is not JSON.']);
  });
});

describe('hashes', () => {
  it('are those of Civitai and A1111, found by, kept by size and time, and made again for a changed file', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a.safetensors');
    await writeAdapter(path);
    const database = openIndex();
    const models = openModels([folder], database);
    await models.scan();
    expect(models.get(path).hash).toBeNull();
    await models.hashAll();
    const bytes = readFileSync(path);
    const sha = (data: Buffer) => createHash('sha256').update(data).digest('hex');
    const body = sha(bytes.subarray(8 + Number(bytes.readBigUInt64LE(0)))).slice(0, 12);
    expect(models.get(path)).toMatchObject({ hash: sha(bytes).slice(0, 10), bodyHash: body });
    expect(models.find({ hash: body.toUpperCase() }).map((model) => model.path)).toEqual([path]);
    expect(models.find({ name: 'A', hash: '0123456789' }).map((model) => model.path)).toEqual([path]);
    expect(models.find({ name: '%' })).toEqual([]);

    const told: unknown[] = [];
    models.events.on('progress', (progress) => told.push(progress));
    await models.rebuild();
    await models.hashAll();
    expect(models.get(path).hash).toBe(sha(bytes).slice(0, 10));
    expect(told).not.toContainEqual(expect.objectContaining({ what: 'hashes' }));

    utimesSync(path, 1, 1);
    await models.scan();
    expect(models.get(path).hash).toBeNull();
  });
});
