import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { adapterHash } from './adapter-hash.ts';
import { inspectAdapter } from './inspect-adapter.ts';
import { filled, loraLayer, scalar, writeAdapter } from './test-support.ts';

const block = 'lora_unet_input_blocks_4_1_transformer_blocks_0';
const xl = {
  ...loraLayer(`${block}_attn2_to_k`, 640, 2048, 16),
  [`${block}_attn2_to_k.alpha`]: scalar(8),
  ...loraLayer(`${block}_attn1_to_q`, 640, 640, 16),
  [`${block}_attn1_to_q.alpha`]: scalar(8),
  ...loraLayer('lora_te1_text_model_encoder_layers_0_mlp_fc1', 3072, 768, 4),
  ...loraLayer('lora_te2_text_model_encoder_layers_0_mlp_fc1', 5120, 1280, 4),
};

describe('inspectAdapter', () => {
  it('tells base, algorithm, ranks, alphas, layers, parameters from the header', async () => {
    const facts = await inspectAdapter(await writeAdapter(xl, {}, 'ink.safetensors'));
    expect(facts).toMatchObject({
      name: 'ink',
      family: 'sdxl',
      base: 'SDXL',
      baseFrom: 'layers',
      algorithm: 'lora',
      keyStyle: 'kohya',
      ranks: [
        { value: 16, layers: 2 },
        { value: 4, layers: 2 },
      ],
      alphas: [
        { value: 8, layers: 2 },
        { value: 4, layers: 2 },
      ],
      layers: { unet: 2, textEncoder: 1, textEncoder2: 1, unknown: 0 },
      dtype: 'F32',
      foreign: [],
      warnings: [],
      distillation: null,
    });
    expect(facts.parameters).toBe(16 * (640 + 2048 + 640 + 640) + 4 * (3072 + 768 + 5120 + 1280));
  });

  it('reads no factor: NaN among them does not show', async () => {
    const spoilt = { shape: [640, 16], values: new Float32Array(640 * 16).fill(Number.NaN) };
    const path = await writeAdapter({ ...xl, [`${block}_attn1_to_q.lora_up.weight`]: spoilt });
    await expect(inspectAdapter(path)).resolves.toMatchObject({ family: 'sdxl' });
  });

  it('names a folder that holds a file of a general name', async () => {
    const path = await writeAdapter(xl, {}, 'pytorch_lora_weights.safetensors');
    expect((await inspectAdapter(path)).name).toMatch(/^impasto-adapters-/);
  });

  it.each([
    [{ ss_base_model_version: 'sd_v1' }, 'sd1', 'SD 1.x'],
    [{ ss_v2: 'True' }, 'sd2', 'SD 2.x'],
    [{ 'modelspec.architecture': 'stable-diffusion-xl-v1-base/lora' }, 'sdxl', 'SDXL'],
    [{ 'modelspec.architecture': 'flux-1-dev/lora' }, null, 'Flux'],
    [{}, null, null],
  ])('by metadata %o where layers do not tell', async (metadata, family, base) => {
    const shared = loraLayer('lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q', 1280, 1280);
    const facts = await inspectAdapter(await writeAdapter(shared, metadata as Record<string, string>));
    expect([facts.family, facts.base]).toEqual([family, base]);
  });

  it('believes the layers before the metadata', async () => {
    const facts = await inspectAdapter(await writeAdapter(xl, { ss_base_model_version: 'sd_v1' }));
    expect(facts).toMatchObject({ family: 'sdxl', baseFrom: 'layers' });
  });

  it.each([
    ['loha', { 'unet.conv_in.hada_w1_a': filled([8, 2]), 'unet.conv_in.hada_w1_b': filled([2, 36]) }],
    ['lokr', { 'unet.conv_in.lokr_w1': filled([2, 2]), 'unet.conv_in.lokr_w2': filled([4, 2, 3, 3]) }],
    ['dora', { ...loraLayer('lora_unet_conv_in', 8, 4, 2, 3), 'lora_unet_conv_in.dora_scale': filled([8, 1, 1, 1]) }],
    ['full', { 'lora_unet_conv_in.diff': filled([8, 4, 3, 3]) }],
    ['locon', { ...loraLayer('lora_unet_conv_in', 8, 4, 2, 3), ...loraLayer('lora_unet_time_embed_0', 32, 8) }],
    ['mixed', { ...loraLayer('lora_unet_conv_out', 4, 8, 2, 3), 'lora_unet_conv_in.diff': filled([8, 4, 3, 3]) }],
  ])('knows %s', async (algorithm, tensors) => {
    expect((await inspectAdapter(await writeAdapter(tensors))).algorithm).toBe(algorithm);
  });

  it('reads what the trainer wrote, and leaves out what it did not set', async () => {
    const { metadata } = await inspectAdapter(
      await writeAdapter(xl, {
        ss_output_name: 'ink',
        ss_network_dim: '16',
        ss_network_alpha: '8.0',
        ss_network_module: 'networks.lora',
        ss_training_comment: 'None',
        ss_num_train_images: '40',
        ss_steps: 'many',
        ss_sd_model_name: 'sd_xl_base_1.0.safetensors',
        'modelspec.title': 'Ink wash',
        'modelspec.author': ' ',
      }),
    );
    expect(metadata).toEqual({
      title: 'Ink wash',
      networkRank: 16,
      networkAlpha: 8,
      networkModule: 'networks.lora',
      images: 40,
      baseModel: 'sd_xl_base_1.0.safetensors',
    });
  });
});

describe('triggers', () => {
  const frequency = JSON.stringify({
    '10_cats': { inkwash: 30, cat: 12, ' inkwash ': 2 },
    '5_dogs': { inkwash: 8, dog: 9 },
  });
  const triggersWith = async (metadata: Record<string, string>): Promise<string[]> =>
    (await inspectAdapter(await writeAdapter(xl, metadata))).triggers;

  it('are what the file says', async () => {
    expect(await triggersWith({ 'modelspec.trigger_phrase': 'ink wash, brush', ss_tag_frequency: frequency })).toEqual([
      'ink wash',
      'brush',
    ]);
  });

  it('are else the tags that all captions share, summed over the data sets', async () => {
    const facts = await inspectAdapter(await writeAdapter(xl, { ss_tag_frequency: frequency }));
    expect(facts.tags).toEqual([
      { tag: 'inkwash', count: 40 },
      { tag: 'cat', count: 12 },
      { tag: 'dog', count: 9 },
    ]);
    expect(facts.triggers).toEqual(['inkwash']);
  });

  it.each(['{', '[]', '{"a":{"b":"many"}}', 'null'])('are none where the tags are %s', async (json) => {
    expect(await triggersWith({ ss_tag_frequency: json })).toEqual([]);
  });

  it('come from a sidecar of Civitai or A1111 too', async () => {
    const path = await writeAdapter(xl, { 'modelspec.trigger_phrase': 'ink' });
    const beside = (name: string): string => join(dirname(path), name);
    await writeFile(beside('adapter.json'), JSON.stringify({ 'activation text': 'wash, ink' }));
    expect((await inspectAdapter(path)).triggers).toEqual(['ink', 'wash']);
    await writeFile(
      beside('adapter.civitai.info'),
      JSON.stringify({ trainedWords: ['brush, paper'], baseModel: 'SDXL 1.0' }),
    );
    expect((await inspectAdapter(path)).triggers).toEqual(['ink', 'brush', 'paper']);
  });

  it('a broken sidecar is said, and forbids nothing', async () => {
    const path = await writeAdapter(xl);
    await writeFile(join(dirname(path), 'adapter.civitai.info'), '<html>');
    const facts = await inspectAdapter(path);
    expect(facts.warnings.map(({ code }) => code)).toEqual(['ADAPTER_SIDECAR']);
  });
});

describe('adapterHash', () => {
  it('is of the bytes after the header, so metadata do not change it', async () => {
    const path = await writeAdapter(xl);
    const bytes = await readFile(path);
    const data = bytes.subarray(8 + Number(bytes.readBigUInt64LE()));
    const hash = createHash('sha256').update(data).digest('hex').slice(0, 12);
    expect(await adapterHash(path)).toBe(hash);
    expect(await adapterHash(await writeAdapter(xl, { 'modelspec.title': 'other' }))).toBe(hash);
    expect(await adapterHash(await writeAdapter({ ...xl, [`${block}_attn2_to_k.alpha`]: scalar(9) }))).not.toBe(hash);
  });
});
