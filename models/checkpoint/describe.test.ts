import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { describeFile, factLines } from './describe.ts';
import { autoV2 } from './hash.ts';
import { ldmShapes, rejection, sd1Model, sdxlModel, writeDiffusersFolder, writeModel } from './test-support.ts';

it('tells what a file is', async () => {
  const path = await writeModel(ldmShapes(sdxlModel), { 'modelspec.prediction_type': 'v' });
  const facts = await describeFile(path, { hash: true });
  const bytes = await readFile(path);
  expect(facts).toMatchObject({
    path,
    family: 'sdxl',
    predictionType: 'v_prediction',
    fileSize: bytes.length,
    tensors: ldmShapes(sdxlModel).size,
    size: 128 * 4,
    hash: createHash('sha256').update(bytes).digest('hex').slice(0, 10),
    missing: [],
    problems: [],
  });
  const text = factLines(facts).map(([label, value]) => `${label}: ${value}`);
  expect(text).toContain('family: Stable Diffusion XL');
  expect(text).toContain("prediction type: v_prediction (from the file's metadata)");
  expect(text).toContain(`AutoV2 hash: ${facts.hash}`);
});

it('tells what a broken file lacks, where drawing with it would be refused', async () => {
  const shapes = ldmShapes({ ...sd1Model, vae: null });
  for (const name of shapes.keys()) if (name.includes('input_blocks.1.0.')) shapes.delete(name);
  shapes.set('model.diffusion_model.input_blocks.1.0.in_layers.2.weight', [32, 32, 3, 3]);
  const facts = await describeFile(await writeModel(shapes), { hash: false });
  expect(facts.hash).toBeNull();
  expect(facts.missing).toContain('VAE');
  expect(facts.missing).toContain('model.diffusion_model.input_blocks.1.0.in_layers.0.weight');
  expect(facts.problems).toMatchObject([{ code: 'TENSOR_MISSING' }]);
  const missing = factLines(facts).find(([label]) => label === 'missing');
  expect(missing?.[1]).toMatch(/and \d+ more$/);
});

it('has no hash for a folder', async () => {
  expect((await describeFile(await writeDiffusersFolder(), { hash: true })).hash).toBeNull();
});

it('stops hashing when it is told to', async () => {
  const path = await writeModel(ldmShapes(sd1Model));
  expect((await rejection(autoV2(path, AbortSignal.abort()))).code).toBe('CANCELLED');
  expect((await rejection(autoV2(`${path}.no`))).code).toBe('FILE_NOT_FOUND');
});
