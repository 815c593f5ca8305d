import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loraFolders } from '../engine/adapters/lora-folder.ts';
import { resolvePromptTags } from '../engine/adapters/prompt-tags.ts';
import { adaptersAndRegions, parseConcept, parseLora, parseRegion } from './adapter-flags.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'impasto-loras-'));
  await mkdir(join(folder, 'styles'));
  await mkdir(join(folder, 'people/anna'), { recursive: true });
  for (const name of ['Ink.safetensors', 'styles/wash.safetensors', 'styles/ink-fine.safetensors', 'notes.txt']) {
    await writeFile(join(folder, name), '');
  }
  for (const name of [
    'styles/twin.safetensors',
    'people/twin.safetensors',
    'people/anna/pytorch_lora_weights.safetensors',
  ]) {
    await writeFile(join(folder, name), '');
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('--lora', () => {
  it('takes strengths and settings after the file, whatever the path holds', () => {
    expect(parseLora('ink.safetensors')).toEqual({ path: 'ink.safetensors' });
    expect(parseLora('C:\\loras\\a,b.safetensors:0.8:-.5')).toEqual({
      path: 'C:\\loras\\a,b.safetensors',
      strength: 0.8,
      textStrength: -0.5,
    });
    expect(parseLora('ink:1,region=left,steps=0.2-0.6,curve=0:1/0.5:0.25,trigger=ink, fine,name=Ink')).toEqual({
      path: 'ink',
      strength: 1,
      region: 'left',
      steps: [0.2, 0.6],
      curve: [
        [0, 1],
        [0.5, 0.25],
      ],
      trigger: 'ink, fine',
      name: 'Ink',
    });
  });

  it.each(['', ':0.5', 'ink,steps=1', 'ink,curve=0:x'])('refuses %j', (text) => {
    expect(() => parseLora(text)).toThrow(/--lora/);
  });

  it('finds names in the folders, and says where a file is missing', async () => {
    const { adapters } = await adaptersAndRegions({ lora: ['wash:0.5'] }, loraFolders([folder]));
    expect(adapters).toEqual([{ path: join(folder, 'styles/wash.safetensors'), strength: 0.5 }]);
    await expect(adaptersAndRegions({ lora: ['wash:0.5'] }, null)).rejects.toThrow(/wash is not there/);
    const path = join(folder, 'gone.safetensors');
    await expect(adaptersAndRegions({ lora: [path] }, loraFolders([folder]))).rejects.toThrow(`${path} is not there`);
  });
});

describe('--region', () => {
  it('takes a box or a mask, and a prompt with commas and colons', () => {
    expect(parseRegion('left=0,0,256,512:a cat, (red:1.2)')).toEqual({
      name: 'left',
      box: [0, 0, 256, 512],
      prompt: 'a cat, (red:1.2)',
    });
    expect(parseRegion('sky=masks/sky.PNG:clouds')).toEqual({
      name: 'sky',
      mask: resolve('masks/sky.PNG'),
      prompt: 'clouds',
    });
    expect(parseRegion('r=0,0,8,8')).toEqual({ name: 'r', box: [0, 0, 8, 8], prompt: '' });
    for (const bad of ['0,0,8,8', 'left', 'left=0,0,8', '=0,0,8,8']) expect(() => parseRegion(bad)).toThrow(/--region/);
  });

  it('takes more settings by name', async () => {
    const { regions } = await adaptersAndRegions(
      { region: ['a=0,0,8,8', 'b=8,0,8,8'], regionFeather: ['b=12'], regionNegative: ['a=x=y'], regionWeight: ['a=2'] },
      null,
    );
    expect(regions).toEqual([
      { name: 'a', box: [0, 0, 8, 8], prompt: '', negativePrompt: 'x=y', weight: 2 },
      { name: 'b', box: [8, 0, 8, 8], prompt: '', feather: 12 },
    ]);
    await expect(adaptersAndRegions({ regionFeather: ['c=1'] }, null)).rejects.toThrow(/--region-feather/);
  });
});

describe('tags in prompts', () => {
  const resolveTags = (request: Parameters<typeof resolvePromptTags>[0]) =>
    resolvePromptTags(request, loraFolders([folder]));

  it('become adapters, beside those given, and leave the prompt', async () => {
    const { request, warnings } = await resolveTags({
      prompt: 'a cat, <lora:ink:0.8>, on a roof <lora:WASH:0.2:0.6>',
      adapters: [{ path: 'given' }],
    });
    expect(warnings).toEqual([]);
    expect(request).toEqual({
      prompt: 'a cat, on a roof',
      adapters: [
        { path: 'given' },
        { path: join(folder, 'Ink.safetensors'), strength: 0.8 },
        { path: join(folder, 'styles/wash.safetensors'), strength: 0.6, textStrength: 0.2 },
      ],
    });
  });

  it("of a region's prompt act in the region, and of a negative prompt nowhere", async () => {
    const { request, warnings } = await resolveTags({
      prompt: 'a street',
      negativePrompt: 'blurry <lora:ink>',
      regions: [{ name: 'left', box: [0, 0, 8, 8], prompt: '<lora:anna> a woman' }],
    });
    expect(request.negativePrompt).toBe('blurry');
    expect(request.regions?.[0]?.prompt).toBe('a woman');
    expect(request.adapters).toEqual([
      { path: join(folder, 'people/anna/pytorch_lora_weights.safetensors'), strength: 1, region: 'left' },
    ]);
    expect(warnings.map(({ code }) => code)).toEqual(['ADAPTER_IGNORED']);
  });

  it('that name nothing, or two files, are refused with what might be meant', async () => {
    await expect(resolveTags({ prompt: '<lora:inc>' })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      remedy: 'Did you mean "ink"?',
    });
    await expect(resolveTags({ prompt: '<lora:twin>' })).rejects.toThrow(/2 LoRAs/);
    const { request } = await resolveTags({ prompt: 'x <lora:people/twin>' });
    expect(request.adapters?.[0]?.path).toBe(join(folder, 'people/twin.safetensors'));
    await expect(resolveTags({ prompt: '<lora:../../etc/passwd>' })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });

  it('leave a prompt without tags as it is', async () => {
    const prompt = 'a  cat, , <3';
    expect((await resolveTags({ prompt })).request).toEqual({ prompt });
  });
});

describe('--concept', () => {
  it('takes words, and those of its own adapters', () => {
    expect(parseConcept('cat=a small cat')).toEqual({ name: 'cat', words: 'a small cat' });
    expect(parseConcept('cat=cat:sks cat')).toEqual({ name: 'cat', words: 'cat', as: 'sks cat' });
  });

  it.each(['cat', 'cat=', '=cat', 'cat=:sks'])('refuses %s', (text) => {
    expect(() => parseConcept(text)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  });

  it('goes with adapters that name it, and regions have words', async () => {
    const lists = await adaptersAndRegions(
      {
        lora: [`${join(folder, 'Ink.safetensors')}:0.8,concept=cat`],
        concept: ['cat=cat:sks cat'],
        region: ['left=0,0,8,8:a cat'],
        regionWords: ['left=cat'],
      },
      null,
    );
    expect(lists.adapters?.[0]).toMatchObject({ concept: 'cat', strength: 0.8 });
    expect(lists.concepts).toEqual([{ name: 'cat', words: 'cat', as: 'sks cat' }]);
    expect(lists.regions?.[0]?.words).toBe('cat');
  });
});
