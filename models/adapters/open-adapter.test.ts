import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../checkpoint/open.ts';
import { readTensor } from '../weights/safetensors.ts';
import type { Adapter, AdapterLayer } from './adapter.ts';
import { openAdapter } from './open-adapter.ts';
import {
  filled,
  fullSize,
  type Given,
  loraLayer,
  openTiny,
  scalar,
  temporaryFolder,
  tinyInpaintModel,
  tinyModel,
  tinyOnnxModel,
  writeAdapter,
} from './test-support.ts';

const attention = 'lora_unet_down_blocks_0_attentions_0_transformer_blocks_0';
const toQ = `${attention}_attn1_to_q`;
const conv = 'lora_unet_down_blocks_0_resnets_0_conv1';

async function openOnTiny(tensors: Record<string, Given>, metadata: Record<string, string> = {}): Promise<Adapter> {
  return openAdapter(await writeAdapter(tensors, metadata), await openTiny());
}

const only = ({ unet }: Adapter): AdapterLayer => {
  expect(unet).toHaveLength(1);
  return unet[0] as AdapterLayer;
};

/** scale * up . down as [out, columns]. */
function deltaOf({ up, down, rank, out, scale }: AdapterLayer): number[] {
  const columns = down.length / rank;
  return Array.from({ length: out * columns }, (_, at) => {
    let sum = 0;
    for (let r = 0; r < rank; r++) {
      sum += (up[Math.floor(at / columns) * rank + r] as number) * (down[r * columns + (at % columns)] as number);
    }
    return scale * sum;
  });
}

const at = (given: Given, ...index: number[]): number => {
  const flat = index.reduce((sum, i, side) => sum * (given.shape[side] as number) + i, 0);
  return given.values[flat] as number;
};

const farthest = (a: readonly number[], b: readonly number[]): number => {
  expect(a).toHaveLength(b.length);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] as number))), 0);
};

const grid = (rows: number, columns: number, value: (row: number, column: number) => number): number[] =>
  Array.from({ length: rows * columns }, (_, i) => value(Math.floor(i / columns), i % columns));

const codes = (warnings: Adapter['warnings']): string[] => warnings.map(({ code }) => code);

describe('scale', () => {
  it('is alpha over rank, layer by layer', async () => {
    const adapter = await openOnTiny({
      ...loraLayer(toQ, 8, 8, 4),
      [`${toQ}.alpha`]: scalar(1),
      ...loraLayer(conv, 8, 8, 2, 3),
      [`${conv}.alpha`]: { shape: [1], values: [], dtype: 'I64', bytes: new Uint8Array(BigInt64Array.of(6n).buffer) },
    });
    expect(adapter.unet.map(({ path, rank, scale }) => [path, rank, scale]).toSorted()).toEqual([
      ['down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q', 4, 0.25],
      ['down_blocks.0.resnets.0.conv1', 2, 3],
    ]);
    expect(adapter.algorithm).toBe('locon');
    expect(adapter.matched).toEqual({ applied: 2, of: 2 });
  });

  it('is 1 where no alpha is said', async () => {
    const { [`${toQ}.alpha`]: _, ...tensors } = loraLayer(toQ, 8, 8, 4);
    expect(only(await openOnTiny(tensors)).scale).toBe(1);
  });

  it('warns of alpha 0, and leaves the layer out', async () => {
    const adapter = await openOnTiny({
      ...loraLayer(toQ, 8, 8),
      [`${toQ}.alpha`]: scalar(0),
      ...loraLayer(conv, 8, 8, 2, 3),
    });
    expect(adapter.unet.map(({ path }) => path)).toEqual(['down_blocks.0.resnets.0.conv1']);
    expect(adapter.matched).toEqual({ applied: 1, of: 2 });
    expect(adapter.unmatched).toEqual([toQ]);
    expect(codes(adapter.warnings)).toEqual(['ADAPTER_ALPHA_ZERO']);
  });

  it('says that an alpha by expression in a PEFT config is not followed', async () => {
    const config = JSON.stringify({ 'unet.lora_alpha': 4, 'unet.alpha_pattern': { '(a+)+$': 8 } });
    const stem = 'unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q';
    const adapter = await openOnTiny(
      { [`${stem}.lora_A.weight`]: filled([2, 8]), [`${stem}.lora_B.weight`]: filled([8, 2]) },
      { lora_adapter_metadata: config },
    );
    expect(only(adapter).scale).toBe(2);
    expect(codes(adapter.warnings)).toEqual(['ADAPTER_CONFIG']);
  });
});

describe('deltas that no fixture has', () => {
  it('LoHa of more ranks than the matrix has is the matrix beside an identity', async () => {
    const [a1, b1, a2, b2] = [filled([8, 3], 1), filled([3, 8], 2), filled([8, 3], 3), filled([3, 8], 4)];
    const adapter = await openOnTiny({
      [`${toQ}.hada_w1_a`]: a1,
      [`${toQ}.hada_w1_b`]: b1,
      [`${toQ}.hada_w2_a`]: a2,
      [`${toQ}.hada_w2_b`]: b2,
      [`${toQ}.alpha`]: scalar(6),
    });
    const dot = (a: Given, b: Given, o: number, i: number): number =>
      [0, 1, 2].reduce((sum, r) => sum + at(a, o, r) * at(b, r, i), 0);
    const expected = grid(8, 8, (o, i) => 2 * dot(a1, b1, o, i) * dot(a2, b2, o, i));
    expect(only(adapter)).toMatchObject({ rank: 8, origin: { kind: 'exact' } });
    expect(farthest(deltaOf(only(adapter)), expected)).toBeLessThan(1e-5);
  });

  it('LoHa of a convolution without a core', async () => {
    const [a1, b1, a2, b2] = [filled([8, 2], 1), filled([2, 72], 2), filled([8, 2], 3), filled([2, 72], 4)];
    const names = ['hada_w1_a', 'hada_w1_b', 'hada_w2_a', 'hada_w2_b'];
    const adapter = await openOnTiny(
      Object.fromEntries([a1, b1, a2, b2].map((given, i) => [`${conv}.${names[i]}`, given])),
    );
    const dot = (a: Given, b: Given, o: number, i: number): number =>
      [0, 1].reduce((sum, r) => sum + at(a, o, r) * at(b, r, i), 0);
    const expected = grid(8, 72, (o, i) => dot(a1, b1, o, i) * dot(a2, b2, o, i));
    expect(only(adapter)).toMatchObject({ rank: 4, downShape: [4, 8, 3, 3] });
    expect(farthest(deltaOf(only(adapter)), expected)).toBeLessThan(1e-5);
  });

  it('LoKr of a convolution: both factors whole, alpha void', async () => {
    const [w1, w2] = [filled([2, 4], 1), filled([4, 2, 3, 3], 2)];
    const tensors = { [`${conv}.lokr_w1`]: w1, [`${conv}.lokr_w2`]: w2, [`${conv}.alpha`]: scalar(123) };
    const adapter = await openAdapter(await writeAdapter(tensors), await openTiny(), { energy: 1 });
    const expected = grid(8, 72, (o, column) => {
      const [i, tap] = [Math.floor(column / 9), column % 9];
      const first = at(w1, Math.floor(o / 4), Math.floor(i / 2));
      return first * at(w2, o % 4, i % 2, Math.floor(tap / 3), tap % 3);
    });
    expect(farthest(deltaOf(only(adapter)), expected)).toBeLessThan(1e-5);
  });

  it('LoKr in Tucker form with both factors products', async () => {
    const [a, b] = [filled([2, 1], 1), filled([1, 2], 2)];
    const [core, wa, wb] = [filled([2, 2, 3, 3], 3), filled([2, 4], 4), filled([2, 4], 5)];
    const tensors = {
      [`${conv}.lokr_w1_a`]: a,
      [`${conv}.lokr_w1_b`]: b,
      [`${conv}.lokr_t2`]: core,
      [`${conv}.lokr_w2_a`]: wa,
      [`${conv}.lokr_w2_b`]: wb,
      [`${conv}.alpha`]: scalar(3),
    };
    const adapter = await openAdapter(await writeAdapter(tensors), await openTiny(), { energy: 1 });
    const expected = grid(8, 72, (o, column) => {
      const [i, tap] = [Math.floor(column / 9), column % 9];
      let second = 0;
      for (let p = 0; p < 2; p++) {
        for (let q = 0; q < 2; q++)
          second += at(core, p, q, Math.floor(tap / 3), tap % 3) * at(wa, p, o % 4) * at(wb, q, i % 4);
      }
      return 3 * at(a, Math.floor(o / 4), 0) * at(b, 0, Math.floor(i / 4)) * second;
    });
    expect(farthest(deltaOf(only(adapter)), expected)).toBeLessThan(1e-5);
  });

  it('a full delta keeps the energy asked for, and says how much', async () => {
    const diff = filled([8, 8, 3, 3]);
    const path = await writeAdapter({ [`${conv}.diff`]: diff });
    const checkpoint = await openTiny();
    for (const energy of [0.5, 0.9, 0.999]) {
      const layer = only(await openAdapter(path, checkpoint, { energy }));
      const delta = deltaOf(layer);
      const square = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, x) => sum + x * x, 0);
      const lost = square(delta.map((x, i) => x - (diff.values[i] as number))) / square(diff.values);
      expect(layer.origin.kind).toBe('svd');
      if (layer.origin.kind === 'svd') {
        expect(layer.origin.energy).toBeGreaterThanOrEqual(energy);
        expect(layer.origin.energy).toBeCloseTo(1 - lost, 5);
      }
    }
  });

  it('a full delta of zeros does nothing and is no fault', async () => {
    const zeros = { shape: [8, 8], values: new Float32Array(64) };
    const adapter = await openOnTiny({ [`${toQ}.diff`]: zeros, ...loraLayer(conv, 8, 8, 2, 3) });
    expect(adapter.matched).toEqual({ applied: 2, of: 2 });
    expect(adapter.unet).toHaveLength(1);
    expect(adapter.algorithm).toBe('mixed');
  });

  it('a fused projection of OpenCLIP: each of q, k, v takes its rows', async () => {
    const sd2 = await fullSize('sd2');
    const stem = 'lora_te_transformer_resblocks_3_attn_in_proj';
    const tensors = loraLayer(stem, 3072, 1024, 1);
    const adapter = await openAdapter(await writeAdapter({ ...tensors, ...loraLayer(`${toQ}`, 320, 320) }), sd2);
    const up = tensors[`${stem}.lora_up.weight`] as Given;
    expect(adapter.textEncoder.map(({ path, out, up: rows }) => [path.slice(-6), out, rows[5]])).toEqual([
      ['q_proj', 1024, up.values[5]],
      ['k_proj', 1024, up.values[1029]],
      ['v_proj', 1024, up.values[2053]],
    ]);
    expect(adapter.matched).toEqual({ applied: 2, of: 2 });
  });

  it('8-bit factors', async () => {
    const bytes = new Uint8Array(16).fill(0x38);
    const one = { values: [], dtype: 'F8_E4M3', bytes } as const;
    const tensors = {
      [`${toQ}.lora_down.weight`]: { shape: [2, 8], ...one },
      [`${toQ}.lora_up.weight`]: { shape: [8, 2], ...one },
    };
    expect(deltaOf(only(await openOnTiny(tensors)))).toEqual(new Array(64).fill(2));
  });
});

describe('shapes that are mended', () => {
  it.each(['linear', '1x1 convolution'])('a %s for proj_in of either kind', async (kind) => {
    const projection = 'lora_unet_down_blocks_0_attentions_0_proj_in';
    const tensors = loraLayer(projection, 8, 8, 2, kind === 'linear' ? undefined : 1);
    expect(only(await openOnTiny(tensors)).downShape).toEqual([2, 8, 1, 1]);
    const sd2 = loraLayer(projection, 320, 320, 2, kind === 'linear' ? undefined : 1);
    expect(only(await openAdapter(await writeAdapter(sd2), await fullSize('sd2'))).downShape).toEqual([2, 320]);
  });

  it('conv_in for 4 channels on an inpainting model: zero for mask and masked picture', async () => {
    const tensors = loraLayer('lora_unet_conv_in', 8, 4, 2, 3);
    const adapter = await openAdapter(await writeAdapter(tensors), await openCheckpoint(tinyInpaintModel));
    const { down, downShape } = only(adapter);
    const given = tensors['lora_unet_conv_in.lora_down.weight'] as Given;
    expect(downShape).toEqual([2, 9, 3, 3]);
    expect([...down.subarray(81, 81 + 36)]).toEqual(Array.from(given.values).slice(36));
    expect([...down.subarray(36, 81), ...down.subarray(81 + 36)].every((x) => x === 0)).toBe(true);
    expect(adapter.warnings).toEqual([]);
  });

  it('conv_in for 9 channels on a plain model: the rest is dropped, with a warning', async () => {
    const adapter = await openOnTiny(loraLayer('lora_unet_conv_in', 8, 9, 2, 3));
    expect(only(adapter).downShape).toEqual([2, 4, 3, 3]);
    expect(codes(adapter.warnings)).toEqual(['ADAPTER_INPUT_CHANNELS']);
  });
});

describe('what does not act is said', () => {
  it('layers without a module, biases, norms, lone alphas and tensors of other kinds', async () => {
    const adapter = await openOnTiny({
      ...loraLayer(toQ, 8, 8),
      ...loraLayer('lora_unet_down_blocks_9_attentions_0_proj_in', 8, 8),
      [`${toQ}.diff_b`]: filled([8]),
      'lora_unet_conv_norm_out.w_norm': filled([8]),
      'lora_unet_conv_out.alpha': scalar(1),
      'bundle_emb.word.string_to_param.*': filled([1, 16]),
    });
    expect(adapter.unet).toHaveLength(1);
    expect(adapter.matched).toEqual({ applied: 1, of: 3 });
    expect(adapter.unmatched.toSorted()).toEqual(
      [
        'bundle_emb.word.string_to_param.*',
        'lora_unet_conv_norm_out.w_norm',
        'lora_unet_conv_out',
        `${toQ}.diff_b`,
        'lora_unet_down_blocks_9_attentions_0_proj_in',
      ].toSorted(),
    );
    expect(codes(adapter.warnings).toSorted()).toEqual(
      ['ADAPTER_BIAS', 'ADAPTER_FOREIGN', 'ADAPTER_NORM', 'ADAPTER_NO_DELTA', 'ADAPTER_UNMATCHED'].toSorted(),
    );
  });

  it('DoRA on an ONNX model, whose weights cannot be read', async () => {
    const checkpoint = await openCheckpoint(tinyOnnxModel);
    const mid = 'lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1';
    const size = checkpoint.unet.config.blockOutChannels.at(-1) ?? 0;
    const tensors = {
      ...loraLayer(`${mid}_to_q`, size, size),
      [`${mid}_to_q.dora_scale`]: filled([size, 1]),
      ...loraLayer(`${mid}_to_k`, size, size),
    };
    const adapter = await openAdapter(await writeAdapter(tensors), checkpoint);
    expect(adapter.unet.map(({ path }) => path.slice(-4))).toEqual(['to_k']);
    expect(adapter.unmatched).toEqual([`${mid}_to_q`]);
    expect(codes(adapter.warnings)).toEqual(['ADAPTER_NEEDS_WEIGHTS']);
  });
});

describe('a wrong base is refused by name', () => {
  const attn2 = (block: string, width: number, context: number): Record<string, Given> =>
    loraLayer(`lora_unet_${block}_attn2_to_k`, width, context);
  const files = {
    sd1: attn2('down_blocks_1_attentions_0_transformer_blocks_0', 640, 768),
    sd2: attn2('down_blocks_1_attentions_0_transformer_blocks_0', 640, 1024),
    sdxl: attn2('input_blocks_4_1_transformer_blocks_0', 640, 2048),
  };
  const titles = { sd1: 'SD 1.x', sd2: 'SD 2.x', sdxl: 'SDXL' };
  const families = ['sd1', 'sd2', 'sdxl'] as const;
  const pairs = families.flatMap((made) => families.map((model) => [made, model] as const));

  it.each(pairs)('made for %s, opened on %s', async (made, model) => {
    const opened = openAdapter(await writeAdapter(files[made]), await fullSize(model));
    if (made === model) {
      expect((await opened).matched).toEqual({ applied: 1, of: 1 });
    } else {
      await expect(opened).rejects.toMatchObject({
        code: 'ADAPTER_WRONG_BASE',
        message: `This LoRA is made for ${titles[made]}; the model is ${titles[model]}.`,
      });
    }
  });

  it('an adapter of layers that all families have, by its metadata', async () => {
    const shared = loraLayer('lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q', 1280, 1280);
    const path = await writeAdapter(shared, { ss_base_model_version: 'sdxl_base_v1-0' });
    await expect(openAdapter(path, await fullSize('sd1'))).rejects.toMatchObject({
      code: 'ADAPTER_WRONG_BASE',
      message: expect.stringContaining('SDXL (so its metadata says)'),
    });
    expect((await openAdapter(path, await fullSize('sdxl'))).matched.applied).toBe(1);
  });

  it('a family that Impasto does not draw with', async () => {
    const flux = await writeAdapter(loraLayer('lora_unet_double_blocks_0_img_attn_qkv', 9216, 3072, 1));
    await expect(openAdapter(flux, await fullSize('sdxl'))).rejects.toThrow(
      'This LoRA is made for Flux; the model is SDXL.',
    );
  });

  it('tiny models of no known width, by shapes', async () => {
    await expect(openOnTiny(loraLayer(`${attention}_attn2_to_k`, 8, 24))).rejects.toMatchObject({
      code: 'ADAPTER_WRONG_BASE',
      message: expect.stringMatching(/attn2_to_k' is 8 by 24 where the model's is 8 by 16/),
    });
  });

  it('none of whose layers is there', async () => {
    await expect(openOnTiny(loraLayer('lora_unet_some_other_thing', 8, 8))).rejects.toMatchObject({
      code: 'ADAPTER_WRONG_BASE',
      message: expect.stringContaining("None of this LoRA's 1 layers"),
    });
  });
});

describe('bad input', () => {
  const down = `${toQ}.lora_down.weight`;
  const up = `${toQ}.lora_up.weight`;
  const good = loraLayer(toQ, 8, 8);
  const without = (key: string): Record<string, Given> =>
    Object.fromEntries(Object.entries(good).filter(([name]) => name !== key));

  it.each([
    ['no down', without(down), /lacks its down factor/],
    ['no up', without(up), /lacks its up factor/],
    ['ranks that differ', { ...good, [up]: filled([8, 3]) }, /down factor of rank 2 and an up factor of rank 3/],
    ['NaN', { ...good, [up]: { shape: [8, 2], values: new Float32Array(16).fill(Number.NaN) } }, /NaN or infinity/],
    [
      'infinity',
      { ...good, [down]: { shape: [2, 8], values: new Float32Array(16).fill(Number.POSITIVE_INFINITY) } },
      /NaN or infinity/,
    ],
    ['NaN as alpha', { ...good, [`${toQ}.alpha`]: scalar(Number.NaN) }, /NaN or infinity/],
    ['alpha of two numbers', { ...good, [`${toQ}.alpha`]: filled([2]) }, /one number is expected/],
    ['rank 0', { [down]: filled([0, 8]), [up]: filled([8, 0]) }, /rank 0/],
    [
      'factors of a convolution for a Linear',
      { ...good, ...loraLayer(toQ, 8, 8, 2, 3) },
      /'lora_unet_.*to_q' has '(?:down|up)' of shape/,
    ],
    [
      'a core that does not join',
      { ...loraLayer(conv, 8, 8, 2, 1), [`${conv}.lora_mid.weight`]: filled([2, 3, 3, 3]) },
      /'mid' of shape \[2, 3, 3, 3\]/,
    ],
    [
      'half of a LoHa',
      { [`${toQ}.hada_w1_a`]: filled([8, 2]), [`${toQ}.hada_w1_b`]: filled([2, 8]) },
      /lacks its factor hada_w2_a/,
    ],
    ['half of a LoKr', { [`${toQ}.lokr_w1`]: filled([2, 2]) }, /lacks its second factor/],
    [
      'a magnitude of another size',
      { ...good, [`${toQ}.dora_scale`]: filled([3, 1]) },
      /'dora_scale' of shape \[3, 1\]/,
    ],
    ['a magnitude alone', { [`${toQ}.dora_scale`]: filled([8, 1]) }, /magnitude but no factors/],
    [
      'one module twice',
      { ...good, 'unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight': filled([2, 8]) },
      /both change down_blocks\.0/,
    ],
    ['one tensor twice', { ...good, [`${toQ}.lora_A.weight`]: filled([2, 8]) }, /name the same tensor/],
    [
      'a layer of another shape among good ones',
      { ...good, ...loraLayer(`${attention}_attn1_to_k`, 8, 8), ...loraLayer(`${attention}_attn1_to_v`, 8, 9) },
      /1 of 3 layers/,
    ],
  ] satisfies [string, Record<string, Given>, RegExp][])('%s', async (_, tensors, message) => {
    await expect(openOnTiny(tensors)).rejects.toMatchObject({
      code: 'ADAPTER_INVALID',
      message: expect.stringMatching(message),
    });
  });

  it('factors that are whole numbers', async () => {
    const bytes = { values: [], dtype: 'I8', bytes: new Uint8Array(16) } as const;
    await expect(openOnTiny({ ...good, [down]: { shape: [2, 8], ...bytes } })).rejects.toMatchObject({
      code: 'TENSOR_DTYPE',
    });
  });

  it('a checkpoint, a network, an embedding, another algorithm, nothing', async () => {
    const checkpoint = await openTiny();
    const refused = async (path: string, message: RegExp): Promise<void> => {
      await expect(openAdapter(path, checkpoint)).rejects.toMatchObject({
        code: 'ADAPTER_INVALID',
        message: expect.stringMatching(message),
      });
    };
    await refused(`${tinyModel}.safetensors`, /whole checkpoint, not an adapter/);
    await refused(join(tinyModel, 'unet/diffusion_pytorch_model.safetensors'), /network of a model/);
    await refused(await writeAdapter({ emb_params: filled([2, 16]) }), /textual-inversion/);
    await refused(await writeAdapter({ [`${toQ}.oft_blocks`]: filled([2, 4, 4]) }), /OFT/);
    await refused(await writeAdapter({ something: filled([2]) }), /none of its 1 tensors/);
    await refused(await writeAdapter({}), /empty/);
  });

  it('a pickle, a cut file, one that is not there', async () => {
    const checkpoint = await openTiny();
    const folder = await temporaryFolder();
    const pickle = join(folder, 'lora.pt');
    await writeFile(pickle, Buffer.from([0x80, 2, 0x63, 0x6f, 0x73, 0x0a, 0x2e]));
    await expect(openAdapter(pickle, checkpoint)).rejects.toMatchObject({ code: 'PICKLE_REFUSED' });
    const whole = await readFile(await writeAdapter(good));
    const cut = join(folder, 'cut.safetensors');
    await writeFile(cut, whole.subarray(0, whole.length - 8));
    await expect(openAdapter(cut, checkpoint)).rejects.toMatchObject({ code: 'TENSOR_OUT_OF_RANGE' });
    await expect(openAdapter(resolve(folder, 'none'), checkpoint)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });

  it('an energy that is no share', async () => {
    const path = await writeAdapter(good);
    for (const energy of [0, 1.1, Number.NaN]) {
      await expect(openAdapter(path, await openTiny(), { energy })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    }
  });
});

it('reads base weights for DoRA in place: a magnitude equal to the norm changes nothing but by the LoRA', async () => {
  const checkpoint = await openTiny();
  if (checkpoint.unet.source !== 'weights') throw new Error('the tiny model is authored');
  const ref = checkpoint.unet.weights.get('down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight');
  if (!ref) throw new Error('the weight is there');
  const base = await readTensor(ref);
  const lora = { [`${toQ}.lora_down.weight`]: filled([2, 8], 1), [`${toQ}.lora_up.weight`]: filled([8, 2], 2) };
  const plain = deltaOf(only(await openAdapter(await writeAdapter(lora), checkpoint)));
  const norms = Array.from({ length: 8 }, (_, o) =>
    Math.hypot(...Array.from({ length: 8 }, (_, i) => (base[o * 8 + i] as number) + (plain[o * 8 + i] as number))),
  );
  const dora = { ...lora, [`${toQ}.dora_scale`]: { shape: [8, 1], values: norms } };
  const same = only(await openAdapter(await writeAdapter(dora), checkpoint));
  expect(farthest(deltaOf(same), plain)).toBeLessThan(1e-5);
  expect(Math.max(...(same.gain?.values ?? [1]).map(Math.abs))).toBeLessThan(1e-6);
});

it('lets DoRA act at alpha 0, where its magnitude alone changes the weight', async () => {
  const tensors = { ...loraLayer(toQ, 8, 8), [`${toQ}.alpha`]: scalar(0), [`${toQ}.dora_scale`]: filled([8, 1], 3) };
  const adapter = await openOnTiny(tensors);
  expect(codes(adapter.warnings)).toEqual([]);
  const layer = only(adapter);
  expect(deltaOf(layer).every((value) => value === 0)).toBe(true);
  expect(layer.gain?.values.some((value) => Math.abs(value) > 0.1)).toBe(true);
});

it('ends when it is cancelled, and opens again', async () => {
  const names = ['to_q', 'to_k', 'to_v'].map((projection) => `${attention}_attn1_${projection}.diff`);
  const path = await writeAdapter(Object.fromEntries(names.map((name) => [name, filled([8, 8])])));
  const checkpoint = await openTiny();
  const controller = new AbortController();
  const opening = openAdapter(path, checkpoint, { signal: controller.signal });
  controller.abort();
  await expect(opening).rejects.toMatchObject({ code: 'CANCELLED' });
  expect((await openAdapter(path, checkpoint)).matched).toEqual({ applied: 3, of: 3 });
});
