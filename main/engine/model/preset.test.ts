import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseRequest } from '../../../contract/parse.ts';
import { openCheckpoint } from '../../../models/checkpoint/open.ts';
import { presetFor } from './preset.ts';

const demo = resolve(import.meta.dirname, '../../../models/demo');

describe('the settings to start from', () => {
  let path: string;
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'impasto-preset-'));
  });
  afterEach(() => rm(path, { recursive: true }));

  const says = (text: string) => writeFile(join(path, 'start_settings.json'), text);
  const folder = (variant: 'base' | 'turbo' = 'base') =>
    ({ path, variant, name: 'some', layout: 'diffusers' }) as const;

  it('of the built-in model are those that it is scored with', async () => {
    const { settings } = JSON.parse(await readFile(join(demo, 'score.json'), 'utf8')) as {
      settings: { steps: number; guidance: number; scheduler: string };
    };
    const { steps, guidance, scheduler } = parseRequest((await presetFor(await openCheckpoint(demo))).request);
    expect({ steps, guidance: guidance.scale, scheduler: scheduler.name }).toEqual({
      steps: settings.steps,
      guidance: settings.guidance,
      scheduler: settings.scheduler,
    });
    // Karras' noise levels belong to the sampler that other base models start with.
    expect(scheduler.sigmas).toBeUndefined();
  });

  it('are what the folder says, and of the rest what its kind wants', async () => {
    expect((await presetFor(folder('turbo'))).request).toMatchObject({ steps: 4, guidance: { scale: 0 } });
    await says('{ "steps": 2 }');
    expect((await presetFor(folder('turbo'))).request).toMatchObject({
      steps: 2,
      guidance: { scale: 0 },
      scheduler: { name: 'euler-a' },
    });
  });

  it('of a distilled adapter go before those of the model', async () => {
    await says('{ "steps": 50 }');
    const adapter = {
      kind: 'lcm-lora',
      steps: 8,
      guidance: 1,
      scheduler: 'lcm',
      note: 'LCM',
      from: 'metadata',
    } as const;
    expect((await presetFor(folder(), [adapter])).request).toMatchObject({ steps: 8, guidance: { scale: 1 } });
  });

  it.each([
    ['{ "steps": 0 }', /steps/],
    ['{ "guidance": { "scale": 4 }, "sampler": "ddim" }', /sampler/],
    ['{ "scheduler": { "name": "magic" } }', /scheduler/],
    ['steps: 20', /start_settings\.json/],
  ])('that are wrong are refused by name: %s', async (text, named) => {
    await says(text);
    await expect(presetFor(folder())).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(named),
    });
  });

  it('of a single file are those of its kind, whatever lies beside it', async () => {
    await says('{ "steps": 2 }');
    const file = { ...folder(), path: join(path, 'model.safetensors'), layout: 'single-file' } as const;
    expect((await presetFor(file)).request).not.toHaveProperty('steps');
  });
});
