import { copyFile, cp, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImpastoError } from '../../../contract/errors.ts';
import { parseRequest } from '../../../contract/parse.ts';
import type { RenderRequestInput } from '../../../contract/request.ts';
import { openAdapter } from '../../../models/adapters/open-adapter.ts';
import { openCheckpoint } from '../../../models/checkpoint/open.ts';
import type { Graph } from '../../../models/onnx/graph.ts';
import { parseModel, serialise } from '../../../models/onnx/serialise.ts';
import { readTensor } from '../../../models/weights/safetensors.ts';
import { writeSafetensors } from '../../../models/weights/write-safetensors.ts';
import { Engine } from '../engine.ts';
import { UNetNetwork } from '../model/unet-network.ts';
import { createNoiseGenerator } from '../noise/index.ts';
import { composePicture } from '../pipeline/composition.ts';
import { classifierFreeGuidance } from '../pipeline/guidance.ts';
import { createScheduler } from '../schedulers/index.ts';

const fixtures = resolve(import.meta.dirname, '../../../fixtures');
const sd1 = join(fixtures, 'small/models/sd1');
const file = (name: string) => join(fixtures, 'adapters', `${name}.safetensors`);
const [kohya, peft, rslora, loha] = ['kohya', 'peft', 'rslora', 'loha'].map(file) as [string, string, string, string];

const base: RenderRequestInput = {
  model: sd1,
  prompt: 'a small cat',
  width: 48,
  height: 32,
  steps: 4,
  seed: 3,
  scheduler: { name: 'ddim' },
  guidance: { scale: 4 },
  provider: 'cpu',
};

let engine: Engine;
let folder: string;
beforeAll(async () => {
  engine = await Engine.create({ provider: 'cpu' });
  folder = await mkdtemp(join(tmpdir(), 'impasto-compose-'));
});
afterAll(async () => {
  await engine.dispose();
  await rm(folder, { recursive: true, force: true });
});

const draw = (request: RenderRequestInput) => engine.render({ ...base, ...request });
async function latentOf(request: RenderRequestInput): Promise<Float32Array> {
  return (await draw(request)).images[0]?.latent as Float32Array;
}

function difference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  let [worst, largest] = [0, 0];
  for (const [at, value] of a.entries()) {
    worst = Math.max(worst, Math.abs(value - (b[at] as number)));
    largest = Math.max(largest, Math.abs(b[at] as number));
  }
  return worst / largest;
}

async function refusal(request: unknown): Promise<ImpastoError> {
  try {
    await engine.render(request as RenderRequestInput);
  } catch (error) {
    if (error instanceof ImpastoError) return error;
    throw error;
  }
  throw new Error('it was drawn');
}

describe('an adapter', () => {
  it('draws what the merged weights draw', async () => {
    const checkpoint = await openCheckpoint(sd1);
    const merged = join(folder, 'merged');
    const adapter = await openAdapter(kohya, checkpoint);
    for (const part of ['unet', 'text_encoder', 'vae', 'tokenizer', 'scheduler'])
      await mkdir(join(merged, part), { recursive: true });
    for (const [from, to] of [
      ['model_index.json', 'model_index.json'],
      ['scheduler/scheduler_config.json', 'scheduler/scheduler_config.json'],
      ['tokenizer/vocab.json', 'tokenizer/vocab.json'],
      ['tokenizer/merges.txt', 'tokenizer/merges.txt'],
      ['tokenizer/tokenizer_config.json', 'tokenizer/tokenizer_config.json'],
      ['unet/config.json', 'unet/config.json'],
      ['text_encoder/config.json', 'text_encoder/config.json'],
      ['vae/config.json', 'vae/config.json'],
      ['vae/diffusion_pytorch_model.safetensors', 'vae/diffusion_pytorch_model.safetensors'],
    ] as const) {
      await copyFile(join(sd1, from), join(merged, to));
    }
    const parts = [
      [checkpoint.unet, adapter.unet, 'unet/diffusion_pytorch_model.safetensors'],
      [checkpoint.textEncoder?.part, adapter.textEncoder, 'text_encoder/model.safetensors'],
    ] as const;
    for (const [part, layers, target] of parts) {
      if (part?.source !== 'weights') throw new Error('not weights');
      const tensors: Parameters<typeof writeSafetensors>[1] = {};
      for (const [name, ref] of part.weights) {
        const values = Float32Array.from(await readTensor(ref));
        const layer = layers.find(({ path }) => `${path}.weight` === name);
        if (layer) {
          const inner = layer.down.length / layer.rank;
          for (let at = 0; at < values.length; at++) {
            for (let rank = 0; rank < layer.rank; rank++) {
              const up = layer.up[Math.floor(at / inner) * layer.rank + rank] as number;
              values[at] =
                (values[at] as number) + layer.scale * up * (layer.down[rank * inner + (at % inner)] as number);
            }
          }
        }
        tensors[name] = { dtype: 'F32', shape: ref.shape, data: new Uint8Array(values.buffer) };
      }
      await writeSafetensors(join(merged, target), tensors);
    }
    const [branch, whole] = [await latentOf({ adapters: [{ path: kohya }] }), await latentOf({ model: merged })];
    expect(difference(branch, whole)).toBeLessThan(1e-4);
    expect(difference(branch, await latentOf({}))).toBeGreaterThan(0.05);
  });

  it('at strength 0 changes no bit of the picture', async () => {
    const silent = await latentOf({ adapters: [{ path: kohya, strength: 0 }] });
    expect(silent).toEqual(await latentOf({}));
  });

  it('draws the same on an exported model', async () => {
    const adapters = [
      { path: kohya, strength: 0.7 },
      { path: rslora, strength: 0.4 },
    ];
    const size = { width: 32, height: 32, adapters };
    const exported = await latentOf({ ...size, model: join(fixtures, 'adapters/models/sd1-onnx') });
    expect(difference(exported, await latentOf(size))).toBeLessThan(1e-3);
  });

  /** The exported model as an exporter writes it that names neither nodes nor weights. */
  async function unnamed(name: string, change: (graph: Graph) => void = () => {}): Promise<string> {
    const target = join(folder, name);
    await cp(join(fixtures, 'adapters/models/sd1-onnx'), target, { recursive: true });
    for (const part of ['unet', 'text_encoder']) {
      const path = join(target, part, 'model.onnx');
      const graph = parseModel(await readFile(path), path);
      const names = new Map([...graph.initializers.keys()].map((known, index) => [known, `w${index}`]));
      const renamed = (known: string) => names.get(known) ?? known;
      for (const node of graph.nodes) Object.assign(node, { name: '', inputs: node.inputs.map(renamed) });
      graph.initializers = new Map(
        [...graph.initializers].map(([known, value]) => [renamed(known), { ...value, name: renamed(known) }]),
      );
      change(graph);
      await writeFile(path, serialise(graph).bytes);
    }
    return target;
  }

  it('draws the same on an exported model that names no module', async () => {
    const size = { width: 32, height: 32, steps: 2, adapters: [{ path: kohya, strength: 0.7 }] };
    const { images, warnings } = await draw({ ...size, model: await unnamed('unnamed') });
    expect(warnings.map(({ code }) => code)).not.toContain('ADAPTER_UNPLACED');
    expect(difference(images[0]?.latent as Float32Array, await latentOf(size))).toBeLessThan(1e-3);
  });

  it('is refused on an exported model that neither names modules nor is built as one of ours', async () => {
    const model = await unnamed('otherwise', (graph) => {
      const first = graph.nodes.find(({ op }) => op === 'Conv' || op === 'Gemm' || op === 'MatMul');
      if (first) graph.nodes.push({ ...first, outputs: ['nobody reads this'] });
    });
    const error = await refusal({ ...base, width: 32, height: 32, model, adapters: [{ path: rslora }] });
    expect([error.code, error.message]).toEqual([
      'UNKNOWN_ARCHITECTURE',
      expect.stringContaining('layers of rslora finds its module'),
    ]);
  });
});

describe('changes between two pictures', () => {
  const two = (first: object = {}, second: object = {}) => [
    { path: kohya, strength: 0.6, ...first },
    { path: rslora, strength: 0.5, ...second },
  ];
  const regions = [{ name: 'left', box: [0, 0, 24, 32] as [number, number, number, number] }];

  it('of strength, schedule, set, order and method build no session', async () => {
    await draw({ adapters: two() });
    for (const request of [
      { adapters: two({ strength: -0.2 }) },
      { adapters: two({ textStrength: 0.1 }) },
      { adapters: two({ steps: [0, 0.5] }) },
      {
        adapters: two({
          curve: [
            [0, 0],
            [1, 1],
          ],
        }),
      },
      { adapters: two().toReversed() },
      { adapters: [...two(), { path: peft }] },
      { adapters: two().slice(1) },
      { adapters: two(), composition: { method: 'switch' as const, switchEvery: 1 } },
      { adapters: two(), composition: { method: 'composite' as const } },
    ]) {
      expect((await draw(request)).sessionsBuilt).toBe(0);
    }
  });

  it('of masks build no session', async () => {
    const adapters = two({ region: 'left' });
    const first = await draw({ adapters, regions });
    const second = await draw({ adapters, regions: [{ name: 'left', box: [8, 0, 40, 16], feather: 3 }] });
    expect(second.sessionsBuilt).toBe(0);
    const [a, b] = [first, second].map(({ images }) => images[0]?.latent as Float32Array) as [
      Float32Array,
      Float32Array,
    ];
    expect(difference(a, b)).toBeGreaterThan(1e-3);
  });

  it('leave no trace: the same request gives the same bits in another engine', async () => {
    const request = { adapters: two() };
    const here = await latentOf(request);
    const other = await Engine.create({ provider: 'cpu' });
    const there = (await other.render({ ...base, ...request })).images[0]?.latent;
    await other.dispose();
    expect(there).toEqual(here);
  });

  it('of a file on disk are noticed', async () => {
    const path = join(folder, 'changing.safetensors');
    await copyFile(kohya, path);
    const before = await latentOf({ adapters: [{ path }] });
    await copyFile(rslora, path);
    await utimes(path, new Date(), new Date(Date.now() + 5000));
    const after = await latentOf({ adapters: [{ path }] });
    expect(after).toEqual(await latentOf({ adapters: [{ path: rslora }] }));
    expect(difference(before, after)).toBeGreaterThan(0.01);
  });
});

it('an adapter that guidance is distilled into draws one row a step, and tells that negatives do not act', async () => {
  const path = join(folder, 'lcm-lora-sdv1-5.safetensors');
  await copyFile(kohya, path);
  const request = { adapters: [{ path }], negativePrompt: 'blurry', scheduler: { name: 'lcm' as const } };
  const distilled = await draw({ ...request, guidance: { scale: 1 } });
  expect(distilled.unetRows).toBe(4);
  const told = distilled.warnings.filter(({ code }) => code === 'NEGATIVE_PROMPT_UNUSED');
  expect(told.map(({ message }) => message)).toEqual([expect.stringContaining('distilled into lcm-lora-sdv1-5')]);
  const guided = await draw({ ...request, guidance: { scale: 4 } });
  expect(guided.unetRows).toBe(8);
  expect(guided.warnings.map(({ code }) => code)).toContain('GUIDANCE_TWICE');
});

describe('methods against a plain loop', () => {
  const adapters = [
    { path: kohya, strength: 0.8 },
    { path: peft, strength: 0.5 },
    { path: rslora, strength: 0.4 },
  ];

  /** A denoising loop over single UNet calls: `drawing(step)` are the adapters whose predictions are averaged. */
  async function loop(drawing: (step: number) => number[]): Promise<Float32Array> {
    const model = await engine.model({ model: sd1, vae: { tiling: 'auto' }, scheduler: { name: 'ddim' } }, 'cpu');
    const scheduler = createScheduler('ddim', {
      config: { ...model.checkpoint.scheduler, stepsOffset: 1, clipSample: false },
      steps: 4,
      predictionType: 'epsilon',
    });
    let latent = createNoiseGenerator('cpu', 3).randn(4 * 4 * 6);
    for (let call = 0; call < scheduler.timesteps.length; call++) {
      const indices = drawing(call);
      const mean = { uncond: new Float32Array(latent.length), cond: new Float32Array(latent.length) };
      for (const index of indices) {
        const one = await predictAlone(
          adapters[index] as (typeof adapters)[number],
          latent,
          scheduler.timesteps[call] as number,
        );
        for (const side of ['uncond', 'cond'] as const) {
          for (const [at, value] of one[side].entries()) {
            mean[side][at] = (mean[side][at] as number) + value / indices.length;
          }
        }
      }
      latent = scheduler.step(classifierFreeGuidance(mean.uncond, mean.cond, 4), call, latent, () => latent);
    }
    return latent;
  }

  /** Both rows of one adapter, by the engine's own parts put together by hand. */
  async function predictAlone(adapter: { path: string; strength: number }, latent: Float32Array, timestep: number) {
    const model = await engine.model({ model: sd1, vae: { tiling: 'auto' }, scheduler: { name: 'ddim' } }, 'cpu');
    const request = { ...parseRequest({ ...base, adapters: [adapter] }), width: 48, height: 32 };
    const opened = engine.adaptersOf(model);
    const active = await opened.load(request.adapters, () => {});
    const composition = await composePicture(request, [4, 4, 6], active, true, {
      model,
      adapters: opened,
      embeddings: [],
      warn: () => {},
    });
    const [part] = composition.at(0);
    if (!part?.negative) throw new Error('not guided');
    const rows = [part.negative, part.positive];
    const [uncond, cond] = await model.unet.predict(
      latent,
      [4, 4, 6],
      timestep,
      rows.map(({ conditioning }) => conditioning),
      undefined,
      { variant: composition.variant, rows: rows.map(({ inputs }) => inputs) },
    );
    return { uncond: uncond as Float32Array, cond: cond as Float32Array };
  }

  it('switch gives each adapter its steps in turn', async () => {
    const switched = await latentOf({ adapters, composition: { method: 'switch', switchEvery: 2 } });
    expect(difference(switched, await loop((step) => [Math.floor(step / 2) % 3]))).toBeLessThan(1e-4);
  });

  it('composite averages both predictions and then guides', async () => {
    const result = await draw({ adapters, composition: { method: 'composite' } });
    expect(result.unetRows).toBe(2 * 3 * 4);
    const composed = result.images[0]?.latent as Float32Array;
    expect(difference(composed, await loop(() => [0, 1, 2]))).toBeLessThan(1e-4);
  });
});

describe('rows that share a call', () => {
  it.each([
    ['composite', {}],
    ['regional', { regionalBy: 'rows' }],
    ['regional', { regionalBy: 'bias', isolation: 0.7 }],
  ] as const)('give what each gives alone: %s %o', async (method, settings) => {
    const model = await engine.model({ model: sd1, vae: { tiling: 'auto' }, scheduler: { name: 'ddim' } }, 'cpu');
    const request = parseRequest({
      ...base,
      adapters: [
        { path: kohya, strength: 0.8, region: 'left' },
        { path: rslora, strength: 0.4 },
      ],
      regions: [
        { name: 'left', box: [0, 0, 24, 32], prompt: 'a dog' },
        { name: 'right', box: [24, 0, 24, 32], prompt: 'a tree' },
      ],
      composition: { method, ...settings },
    });
    const opened = engine.adaptersOf(model);
    const active = await opened.load(request.adapters, () => {});
    const latent = createNoiseGenerator('cpu', 3).randn(4 * 4 * 6);
    const predictions: Float32Array[][] = [];
    for (const unet of [
      model.unet,
      new UNetNetwork(model.unet.config, model.unet.sessions, { batchRows: true, fusedAttention: true }),
    ]) {
      const context = { model: { ...model, unet }, adapters: opened, embeddings: [], warn: () => {} };
      const composition = await composePicture({ ...request, width: 48, height: 32 }, [4, 4, 6], active, true, context);
      const rows = composition.at(1).flatMap(({ negative, positive }) => (negative ? [negative, positive] : []));
      expect(rows.length).toBe(method === 'composite' ? 4 : settings.regionalBy === 'rows' ? 4 : 2);
      const conditionings = rows.map(({ conditioning }) => conditioning);
      const adaptation = { variant: composition.variant, rows: rows.map(({ inputs }) => inputs) };
      predictions.push(await unet.predict(latent, [4, 4, 6], 500, conditionings, undefined, adaptation));
    }
    const [alone, together] = predictions as [Float32Array[], Float32Array[]];
    for (const [row, prediction] of alone.entries()) {
      expect(difference(together[row] as Float32Array, prediction)).toBeLessThan(1e-4);
    }
  });
});

describe('regions', () => {
  const halves: RenderRequestInput['regions'] = [
    { name: 'left', box: [0, 0, 24, 32] },
    { name: 'right', box: [24, 0, 24, 32] },
  ];

  it('with the main prompt and no adapters draw the plain picture, by rows and by biases', async () => {
    const plain = await latentOf({ negativePrompt: 'blurry' });
    for (const regionalBy of ['rows', 'bias'] as const) {
      const composition = { method: 'regional' as const, regionalBy, centreUntil: 0 };
      const { images, unetRows, warnings } = await draw({ negativePrompt: 'blurry', regions: halves, composition });
      expect(difference(images[0]?.latent as Float32Array, plain)).toBeLessThan(1e-4);
      // Regions of one prompt have their rows in common.
      expect(unetRows).toBe(8);
      expect(warnings.map(({ code }) => code)).toEqual(['REGION_WITHOUT_PROMPT', 'REGION_WITHOUT_PROMPT']);
    }
  });

  it.each(['rows', 'bias'] as const)('draw their own prompts by %s', async (regionalBy) => {
    const composition = { method: 'regional' as const, regionalBy, centreUntil: 0 };
    const request = (left: string): RenderRequestInput => ({
      regions: [
        { name: 'left', box: [0, 0, 24, 32], prompt: left },
        { name: 'right', box: [24, 0, 24, 32], prompt: 'a tree' },
      ],
      composition,
      steps: 1,
    });
    const [dog, bird] = [await latentOf(request('a dog')), await latentOf(request('a red bird'))];
    const change = (columns: [number, number]) => {
      let most = 0;
      for (const [at, value] of dog.entries()) {
        if (at % 6 >= columns[0] && at % 6 < columns[1]) most = Math.max(most, Math.abs(value - (bird[at] as number)));
      }
      return most;
    };
    expect(change([0, 3])).toBeGreaterThan(0);
    // A step of rows touches nothing else; with biases convolutions carry some of it over the edge.
    if (regionalBy === 'rows') expect(change([3, 6])).toBe(0);
    else expect(change([3, 6])).toBeLessThan(change([0, 3]));
  });

  it('are drawn as the middle of a picture for as long as is asked', async () => {
    const drawn = (centreUntil: number, more: Partial<RenderRequestInput> = {}) =>
      draw({ regions: halves, composition: { method: 'regional', centreUntil }, ...more });
    const latent = async (...asked: Parameters<typeof drawn>) =>
      (await drawn(...asked)).images[0]?.latent as Float32Array;
    const [none, some, all] = [await latent(0), await latent(0.5), await latent(1)];
    expect(difference(some, none)).toBeGreaterThan(1e-4);
    expect(difference(all, some)).toBeGreaterThan(1e-4);
    // Rows that are turned differently are no longer one.
    expect((await drawn(1)).unetRows).toBe(16);
    // A region of the whole picture is in the middle already.
    const whole: Partial<RenderRequestInput> = { regions: [{ name: 'all', box: [0, 0, 48, 32] }] };
    expect(await latent(1, whole)).toEqual(await latent(0, whole));
  });

  it('that are isolated stay in their places', async () => {
    const at = (centreUntil: number) =>
      latentOf({ regions: halves, composition: { method: 'regional', isolation: 0.5, centreUntil } });
    expect(await at(1)).toEqual(await at(0));
  });

  it('confine an adapter: all of the picture as a region is no region', async () => {
    const whole = [{ name: 'all', box: [0, 0, 48, 32] as [number, number, number, number] }];
    const adapters = [{ path: kohya, strength: 0.5 }];
    const everywhere = await latentOf({ adapters });
    const inside = await latentOf({ adapters: [{ path: kohya, strength: 0.5, region: 'all' }], regions: whole });
    expect(difference(inside, everywhere)).toBeLessThan(1e-4);
  });

  it('are isolated in self-attention by degrees', async () => {
    const at = (isolation: number) => latentOf({ regions: halves, composition: { isolation } });
    const plain = await latentOf({});
    expect(difference(await at(1e-6), plain)).toBeLessThan(1e-4);
    const [some, all] = [difference(await at(0.5), plain), difference(await at(1), plain)];
    expect(some).toBeGreaterThan(1e-4);
    expect(all).toBeGreaterThan(some);
  });
});

describe('bad input', () => {
  const region = (mask: string) => ({
    ...base,
    adapters: [{ path: kohya, region: 'r' }],
    regions: [{ name: 'r', mask }],
  });
  const grey = async (name: string, width: number, height: number, value: number) => {
    const path = join(folder, name);
    await sharp({ create: { width, height, channels: 3, background: { r: value, g: value, b: value } } })
      .png()
      .toFile(path);
    return path;
  };

  it('a mask of other proportions, and an empty one, are refused by name', async () => {
    const wide = await refusal(region(await grey('wide.png', 64, 8, 255)));
    expect([wide.code, wide.message]).toEqual(['MASK_INVALID', expect.stringContaining('64x8')]);
    expect((await refusal(region(await grey('black.png', 48, 32, 0)))).code).toBe('MASK_INVALID');
    const outside = { ...base, regions: [{ name: 'r', box: [100, 0, 8, 8] }], composition: { method: 'regional' } };
    expect((await refusal(outside)).message).toContain('covers nothing');
  });

  it('a mask of ones is no mask', async () => {
    const white = region(await grey('white.png', 48, 32, 255));
    expect(difference(await latentOf(white), await latentOf({ adapters: [{ path: kohya }] }))).toBeLessThan(1e-4);
  });

  it('reversed and empty step ranges, unknown regions and one name for two are refused', async () => {
    const one = (adapter: object) => ({ ...base, adapters: [{ path: kohya, ...adapter }] });
    expect((await refusal(one({ steps: [0.6, 0.2] }))).message).toContain('must end after it starts');
    expect((await refusal(one({ steps: [0.5, 0.5] }))).message).toContain('must end after it starts');
    expect(
      (
        await refusal(
          one({
            curve: [
              [0.5, 1],
              [0.2, 0],
            ],
          }),
        )
      ).message,
    ).toContain('in order');
    expect((await refusal(one({ region: 'nowhere' }))).message).toContain('no region "nowhere"');
    const twice = { ...base, adapters: [kohya, peft].map((path) => ({ path, name: 'same' })) };
    expect((await refusal(twice)).code).toBe('ADAPTER_DUPLICATE');
    expect((await refusal({ ...base, composition: { method: 'regional' } })).message).toContain('at least one region');
    expect((await refusal(one({ path: join(folder, 'absent.safetensors') }))).code).toBe('FILE_NOT_FOUND');
  });

  it('a step range that no step lies in is told', async () => {
    const { warnings } = await draw({ adapters: [{ path: kohya, steps: [0.3, 0.4] }] });
    expect(warnings.map(({ code }) => code)).toContain('ADAPTER_NEVER_ACTS');
  });

  it('a LoRA of another base is refused by name, and the next picture is drawn', async () => {
    const wrong = await refusal({ ...base, adapters: [{ path: kohya }, { path: file('sdxl') }] });
    expect([wrong.code, wrong.message]).toEqual(['ADAPTER_WRONG_BASE', expect.stringContaining('made for SDXL')]);
    expect((await draw({ adapters: [{ path: kohya }], steps: 1 })).unetRows).toBe(2);
  });

  it('a file that is no adapter is refused', async () => {
    const path = join(folder, 'text.safetensors');
    await writeFile(path, 'nothing of the kind');
    expect((await refusal({ ...base, adapters: [{ path }] })).code).toMatch(
      /NOT_SAFETENSORS|HEADER_INVALID|HEADER_TOO_LARGE/,
    );
  });

  it('mixed ranks and 30 adapters at once are drawn, in any order alike', async () => {
    const adapters = Array.from({ length: 30 }, (_, index) => ({
      path: [kohya, peft, rslora, loha][index % 4] as string,
      strength: 0.01 * (index + 1),
    }));
    const [forward, backward] = [await latentOf({ adapters }), await latentOf({ adapters: adapters.toReversed() })];
    expect(forward.every(Number.isFinite)).toBe(true);
    expect(difference(backward, forward)).toBeLessThan(1e-4);
  });

  it('a tag that nothing has resolved is refused with what to do', async () => {
    const error = await refusal({ ...base, prompt: 'a cat <lora:ink:0.8>' });
    expect([error.code, error.remedy]).toEqual(['REQUEST_INVALID', expect.stringContaining('--lora-folder')]);
  });
});
