import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSafetensorsHeader } from '../../weights/safetensors.ts';
import type { TensorToWrite } from '../../weights/write-safetensors.ts';
import { writeSafetensors } from '../../weights/write-safetensors.ts';
import { textEncoderTensors, unetTensors, vaeDecoderTensors, vaeEncoderTensors } from '../module-names.ts';
import { openCheckpoint, openVae, surveyCheckpoint } from '../open.ts';
import {
  indexJson,
  rejection,
  scratchFolder,
  textJson,
  tinyText,
  tinyTwo,
  tinyUNet,
  tinyVae,
  unetJson,
  vaeJson,
  writeDiffusersFolder,
  writeJson,
  zeros,
} from '../test-support.ts';
import { containedPath } from './folder-files.ts';

/** A folder changed before it is opened. */
async function folderWith(change: (folder: string) => Promise<unknown>): Promise<string> {
  const folder = await writeDiffusersFolder();
  await change(folder);
  return folder;
}

describe('a diffusers folder', () => {
  it('is what its configs say', async () => {
    const folder = await writeDiffusersFolder();
    expect(await openCheckpoint(folder)).toMatchObject({
      path: folder,
      layout: 'diffusers',
      family: 'sd1',
      variant: 'base',
      dtype: 'F32',
      predictionType: 'epsilon',
      predictionTypeFrom: 'family-default',
      hiddenStateFromEnd: 1,
      finalNorm: true,
      notes: [],
      unet: { config: { ...tinyUNet, sampleSize: 32, attentionHeads: [4, 4] } },
      vae: { decoder: { config: { ...tinyVae, scalingFactor: 0.2 } } },
      textEncoder: {
        part: { config: { ...tinyText, heads: 4, bosTokenId: 49406, eosTokenId: 2, padTokenId: 1 } },
        tokenizer: { folder: join(folder, 'tokenizer'), padTokenId: 5, maxLength: 77 },
      },
      textEncoder2: null,
      scheduler: { className: 'PNDMScheduler', spacing: 'leading', unspecified: ['spacing'], skipPrkSteps: true },
    });
  });

  it('of 2022, with the old names of VAE and text encoder and few fields, is the same', async () => {
    const folder = await folderWith(async (path) => {
      const old = new Map<string, readonly number[]>();
      for (const [name, shape] of [...vaeEncoderTensors(tinyVae), ...vaeDecoderTensors(tinyVae)]) {
        const names = { to_q: 'query', to_k: 'key', to_v: 'value', 'to_out.0': 'proj_attn' };
        let renamed = name;
        for (const [now, then] of Object.entries(names))
          renamed = renamed.replace(`attentions.0.${now}.`, `attentions.0.${then}.`);
        old.set(renamed, shape);
      }
      await writeSafetensors(join(path, 'vae/diffusion_pytorch_model.safetensors'), zeros(old));
      const { scaling_factor: _, ...config } = vaeJson;
      await writeJson(join(path, 'vae/config.json'), config);
      const ids: TensorToWrite = { dtype: 'I64', shape: [1, 77], data: new Uint8Array(616) };
      const text = zeros(textEncoderTensors(tinyText)).set('text_model.embeddings.position_ids', ids);
      await writeSafetensors(join(path, 'text_encoder/model.safetensors'), text);
    });
    const checkpoint = await openCheckpoint(folder);
    expect(checkpoint.notes).toEqual([]);
    expect(checkpoint.vae.decoder?.config.scalingFactor).toBe(0.18215);
  });

  it('saved by transformers 5.6 and later, without the prefix, is the same', async () => {
    const folder = await folderWith((path) => {
      const bare = [...textEncoderTensors(tinyText)].map(
        ([name, shape]) => [name.replace('text_model.', ''), shape] as const,
      );
      return writeSafetensors(join(path, 'text_encoder/model.safetensors'), zeros(new Map(bare)));
    });
    const { textEncoder } = await openCheckpoint(folder);
    expect(
      textEncoder?.part.source === 'weights' && textEncoder.part.weights.has('text_model.final_layer_norm.bias'),
    ).toBe(true);
  });

  it('with linear projections is SD2, whatever the widths', async () => {
    const folder = await folderWith(async (path) => {
      await writeJson(join(path, 'unet/config.json'), {
        ...unetJson,
        use_linear_projection: true,
        attention_head_dim: [1, 2],
      });
      await writeSafetensors(join(path, 'unet/diffusion_pytorch_model.safetensors'), zeros(unetTensors(tinyTwo)));
      await writeJson(join(path, 'scheduler/scheduler_config.json'), {
        _class_name: 'DDIMScheduler',
        prediction_type: 'v_prediction',
      });
    });
    expect(await openCheckpoint(folder)).toMatchObject({
      family: 'sd2',
      predictionType: 'v_prediction',
      predictionTypeFrom: 'config',
      unet: { config: { attentionHeads: [1, 2] } },
      // SD1's and SD2's pipelines ask for these whatever a config says or leaves out.
      scheduler: { stepsOffset: 1, clipSample: false, setAlphaToOne: true, betaSchedule: 'linear' },
    });
    expect(await openCheckpoint(folder, { predictionType: 'epsilon' })).toMatchObject({
      predictionType: 'epsilon',
      predictionTypeFrom: 'setting',
      scheduler: { predictionType: 'epsilon' },
    });
  });

  it('is Turbo by its scheduler', async () => {
    const folder = await folderWith((path) =>
      writeJson(join(path, 'scheduler/scheduler_config.json'), {
        _class_name: 'EulerAncestralDiscreteScheduler',
        timestep_spacing: 'trailing',
        use_karras_sigmas: true,
      }),
    );
    expect(await openCheckpoint(folder)).toMatchObject({
      variant: 'turbo',
      scheduler: { spacing: 'trailing', sigmas: 'karras' },
    });
  });

  it('opens without index, scheduler and vocabulary, and says what it took instead', async () => {
    const folder = await folderWith(async (path) => {
      await rm(join(path, 'model_index.json'));
      await rm(join(path, 'scheduler'), { recursive: true });
      await rm(join(path, 'tokenizer'), { recursive: true });
    });
    const checkpoint = await openCheckpoint(folder);
    expect(checkpoint.textEncoder?.tokenizer).toEqual({ folder: null, padTokenId: 49407, maxLength: 77 });
    expect(checkpoint.notes).toHaveLength(2);
    expect(checkpoint.notes.join()).toMatch(/noise schedule.*vocabulary/);
  });

  it('names the missing part, of a download that did not finish', async () => {
    for (const [part, says] of [
      ['unet', 'UNet'],
      ['vae', 'VAE'],
      ['text_encoder', 'text encoder'],
    ] as const) {
      const folder = await folderWith((path) => rm(join(path, part), { recursive: true }));
      const error = await rejection(openCheckpoint(folder));
      expect(error.code).toBe('PART_MISSING');
      expect(error.message).toContain(says);
    }
  });

  it('tells inspect of every part that is missing', async () => {
    const folder = await folderWith(async (path) => {
      await rm(join(path, 'unet/diffusion_pytorch_model.safetensors'));
      await rm(join(path, 'text_encoder/config.json'));
    });
    const survey = await surveyCheckpoint(folder);
    expect(survey.missing).toEqual(['UNet', 'text encoder']);
    expect(survey.vae.decoder).not.toBeNull();
  });

  it('that does not agree with its config names the tensor', async () => {
    const folder = await folderWith((path) =>
      writeJson(join(path, 'unet/config.json'), { ...unetJson, layers_per_block: 2 }),
    );
    expect(await rejection(openCheckpoint(folder))).toMatchObject({
      code: 'TENSOR_MISSING',
      message: expect.stringContaining("'down_blocks.0.resnets.1.norm1.weight'"),
    });
  });
});

describe('the weights of a folder', () => {
  const unet = 'unet/diffusion_pytorch_model';

  it('may be shards, by an index', async () => {
    const folder = await folderWith((path) => shard(path, 'diffusion_pytorch_model.safetensors.index.json'));
    const { unet: part } = await openCheckpoint(folder);
    const files = part.source === 'weights' ? new Set([...part.weights.values()].map(({ file }) => file)) : new Set();
    expect(files).toEqual(
      new Set([join(folder, 'unet/shard-1.safetensors'), join(folder, 'unet/shard-2.safetensors')]),
    );
  });

  it.each([
    'diffusion_pytorch_model.safetensors.index.fp16.json',
    'diffusion_pytorch_model.fp16.safetensors.index.json',
  ])('may be shards of a variant, by %s', async (index) => {
    const folder = await folderWith((path) => shard(path, index));
    expect((await surveyCheckpoint(folder)).problems).toEqual([]);
  });

  it('may be of a variant, the plain ones going first and the training copy never', async () => {
    const folder = await folderWith(async (path) => {
      await rename(join(path, `${unet}.safetensors`), join(path, `${unet}.non_ema.safetensors`));
      await writeSafetensors(join(path, `${unet}.fp16.safetensors`), zeros(unetTensors(tinyUNet), 'F16'));
    });
    const fileOf = async (options = {}) => {
      const { unet: part } = await openCheckpoint(folder, options);
      return part.source === 'weights' ? part.weights.get('conv_in.weight')?.file.slice(folder.length + 1) : null;
    };
    expect(await fileOf()).toBe(`${unet}.fp16.safetensors`);
    await writeSafetensors(join(folder, `${unet}.safetensors`), zeros(unetTensors(tinyUNet), 'F32'));
    expect(await fileOf()).toBe(`${unet}.safetensors`);
    for (const part of ['vae/diffusion_pytorch_model', 'text_encoder/model']) {
      await rename(join(folder, `${part}.safetensors`), join(folder, `${part}.fp16.safetensors`));
    }
    expect(await fileOf({ variant: 'fp16' })).toBe(`${unet}.fp16.safetensors`);
    expect((await rejection(openCheckpoint(folder, { variant: 'int8' }))).code).toBe('PART_MISSING');
  });

  it('that are pickles only are refused as such', async () => {
    const folder = await folderWith((path) => rename(join(path, `${unet}.safetensors`), join(path, `${unet}.bin`)));
    expect((await rejection(openCheckpoint(folder))).code).toBe('PICKLE_REFUSED');
  });

  it.each<[change: (weightMap: Record<string, string>) => void, code: string, says: RegExp]>([
    [(map) => Object.assign(map, { 'conv_in.bias': '../../secret.safetensors' }), 'PATH_ESCAPES', /\.\.\/\.\.\/secret/],
    [(map) => Object.assign(map, { 'conv_in.bias': '/etc/passwd' }), 'PATH_ESCAPES', /etc\/passwd/],
    [(map) => Object.assign(map, { 'conv_in.bias': 'C:\\x.safetensors' }), 'PATH_ESCAPES', /C:/],
    [(map) => Object.assign(map, { 'conv_in.bias': 'shard-3.safetensors' }), 'PART_MISSING', /shard-3/],
    [(map) => Object.assign(map, { 'conv_in.bias': 'shard-2.safetensors' }), 'TENSOR_MISSING', /lacks 'conv_in\.bias'/],
  ])('are refused with an index that lies (%#)', async (change, code, says) => {
    const folder = await folderWith((path) => shard(path, 'diffusion_pytorch_model.safetensors.index.json', change));
    const error = await rejection(openCheckpoint(folder));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(says);
  });

  it('that are shards without their index are not guessed at', async () => {
    const folder = await folderWith((path) =>
      rename(join(path, `${unet}.safetensors`), join(path, `${unet}-00001-of-00002.safetensors`)),
    );
    expect(await rejection(openCheckpoint(folder))).toMatchObject({
      code: 'PART_MISSING',
      message: expect.stringContaining('no index'),
    });
  });

  it('may be links, as in the cache of Hugging Face', async () => {
    const folder = await folderWith(async (path) => {
      const blob = join(scratchFolder(), 'blob');
      await rename(join(path, `${unet}.safetensors`), blob);
      await symlink(blob, join(path, `${unet}.safetensors`));
    });
    expect((await openCheckpoint(folder)).family).toBe('sd1');
  });

  it('that are damaged are told by file', async () => {
    const folder = await folderWith((path) =>
      writeFile(join(path, 'vae/diffusion_pytorch_model.safetensors'), 'short'),
    );
    expect(await rejection(openCheckpoint(folder))).toMatchObject({
      code: 'NOT_SAFETENSORS',
      message: expect.stringContaining(join('vae', 'diffusion_pytorch_model.safetensors')),
    });
  });

  async function shard(
    folder: string,
    index: string,
    change: (weightMap: Record<string, string>) => void = () => {},
  ): Promise<void> {
    const path = join(folder, `${unet}.safetensors`);
    const names = [...(await readSafetensorsHeader(path)).tensors.keys()].sort();
    const weightMap: Record<string, string> = {};
    for (const [i, name] of names.entries()) weightMap[name] = `shard-${i < names.length / 2 ? 1 : 2}.safetensors`;
    const tensors = zeros(unetTensors(tinyUNet));
    for (const file of ['shard-1.safetensors', 'shard-2.safetensors']) {
      await writeSafetensors(
        join(folder, 'unet', file),
        new Map([...tensors].filter(([name]) => weightMap[name] === file)),
      );
    }
    await rm(path);
    change(weightMap);
    await writeJson(join(folder, 'unet', index), { metadata: {}, weight_map: weightMap });
  }
});

describe('configs', () => {
  it.each<[file: string, json: unknown, code: string, says: RegExp]>([
    ['model_index.json', '{', 'CONFIG_INVALID', /model_index\.json/],
    ['model_index.json', { ...indexJson, '../unet': ['diffusers', 'X'] }, 'PATH_ESCAPES', /\.\.\/unet/],
    [
      'model_index.json',
      { _class_name: 'FluxPipeline', transformer: ['diffusers', 'FluxTransformer2DModel'] },
      'UNKNOWN_ARCHITECTURE',
      /FluxPipeline, with FluxTransformer2DModel/,
    ],
    [
      'model_index.json',
      { ...indexJson, unet: ['diffusers', 'UNet3DConditionModel'] },
      'UNKNOWN_ARCHITECTURE',
      /UNet3DConditionModel/,
    ],
    [
      'model_index.json',
      { ...indexJson, text_encoder: ['transformers', 'XLMRobertaModel'] },
      'UNKNOWN_ARCHITECTURE',
      /XLMRobertaModel/,
    ],
    ['model_index.json', { ...indexJson, text_encoder: [null, null] }, 'PART_MISSING', /text encoder/],
    ['model_index.json', { ...indexJson, requires_aesthetics_score: true }, 'UNKNOWN_ARCHITECTURE', /refiner/],
    ['unet/config.json', '[1]', 'CONFIG_INVALID', /unet/],
    ['unet/config.json', { ...unetJson, _class_name: 'UNetMotionModel' }, 'UNKNOWN_ARCHITECTURE', /UNetMotionModel/],
    [
      'unet/config.json',
      { ...unetJson, class_embed_type: 'timestep' },
      'UNKNOWN_ARCHITECTURE',
      /class_embed_type is "timestep"/,
    ],
    ['unet/config.json', { ...unetJson, addition_embed_type: 'image' }, 'UNKNOWN_ARCHITECTURE', /addition_embed_type/],
    [
      'unet/config.json',
      { ...unetJson, mid_block_type: 'UNetMidBlock2DSimpleCrossAttn' },
      'UNKNOWN_ARCHITECTURE',
      /mid_block_type/,
    ],
    [
      'unet/config.json',
      { ...unetJson, down_block_types: ['AttnDownBlock2D', 'DownBlock2D'] },
      'UNKNOWN_ARCHITECTURE',
      /AttnDownBlock2D/,
    ],
    [
      'unet/config.json',
      { ...unetJson, transformer_layers_per_block: [[1, 2], 1] },
      'UNKNOWN_ARCHITECTURE',
      /transformer_layers_per_block/,
    ],
    [
      'unet/config.json',
      { ...unetJson, block_out_channels: [32] },
      'CONFIG_INVALID',
      /1 block_out_channels for 2 down/,
    ],
    ['unet/config.json', { ...unetJson, attention_head_dim: 5 }, 'CONFIG_INVALID', /5 heads do not divide 32/],
    ['unet/config.json', { ...unetJson, norm_num_groups: 0 }, 'CONFIG_INVALID', /norm_num_groups/],
    ['unet/config.json', { ...unetJson, layers_per_block: 1e6 }, 'CONFIG_INVALID', /layers_per_block/],
    ['unet/config.json', { ...unetJson, cross_attention_dim: [64, 65] }, 'UNKNOWN_ARCHITECTURE', /cross_attention_dim/],
    ['vae/config.json', { ...vaeJson, _class_name: 'AutoencoderTiny' }, 'UNKNOWN_ARCHITECTURE', /AutoencoderTiny/],
    ['vae/config.json', { ...vaeJson, latents_mean: [0, 0, 0, 0] }, 'UNKNOWN_ARCHITECTURE', /latents_mean/],
    ['vae/config.json', { ...vaeJson, scaling_factor: 'x' }, 'CONFIG_INVALID', /scaling_factor/],
    ['text_encoder/config.json', { ...textJson, hidden_act: 'gelu_new' }, 'UNKNOWN_ARCHITECTURE', /gelu_new/],
    ['text_encoder/config.json', { ...textJson, num_attention_heads: 5 }, 'CONFIG_INVALID', /5 heads/],
    ['scheduler/scheduler_config.json', { beta_schedule: 'sigmoid' }, 'CONFIG_INVALID', /sigmoid/],
    ['scheduler/scheduler_config.json', { prediction_type: 'flow_prediction' }, 'CONFIG_INVALID', /flow_prediction/],
    [
      'scheduler/scheduler_config.json',
      { _class_name: 'EDMEulerScheduler' },
      'UNKNOWN_ARCHITECTURE',
      /EDMEulerScheduler/,
    ],
    ['tokenizer/tokenizer_config.json', '{"pad_token": 3}', 'CONFIG_INVALID', /pad_token/],
  ])('%s that cannot serve is refused by name (%#)', async (file, json, code, says) => {
    const folder = await folderWith((path) => writeJson(join(path, file), json));
    const error = await rejection(openCheckpoint(folder));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(says);
  });

  it('a name in an index stays in its folder', () => {
    expect(containedPath('/m', 'a/b.safetensors', 'i')).toBe(join('/m', 'a', 'b.safetensors'));
    expect(containedPath('/m', 'a..b', 'i')).toBe(join('/m', 'a..b'));
    for (const name of ['', '..', '../x', 'a/../../x', 'a\\..\\..\\x', '/x', '\\\\host\\x', 'C:x', 'a\0b']) {
      expect(() => containedPath('/m', name, 'i'), name).toThrow(/outside its folder/);
    }
  });
});

describe('a folder', () => {
  it('that is no model says so, and points to a file in it', async () => {
    const folder = scratchFolder();
    expect((await rejection(openCheckpoint(folder))).code).toBe('NOT_A_CHECKPOINT');
    await writeFile(join(folder, 'nice.safetensors'), '');
    expect((await rejection(openCheckpoint(folder))).remedy).toContain('nice.safetensors');
  });

  it('that may not be read says so', async () => {
    const folder = scratchFolder();
    const closed = join(folder, 'closed');
    await mkdir(closed);
    await chmod(folder, 0o755);
    await chmod(closed, 0o000);
    // Root may read everything: the question is asked as nobody.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    try {
      expect((await rejection(openCheckpoint(closed))).code).toBe('FILE_UNREADABLE');
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it('that is not there says so', async () => {
    expect((await rejection(openCheckpoint(join(scratchFolder(), 'no')))).code).toBe('FILE_NOT_FOUND');
  });
});

it('a VAE folder opens alone, and so does the VAE of a model folder', async () => {
  const folder = await writeDiffusersFolder();
  for (const path of [folder, join(folder, 'vae')]) {
    const vae = await openVae(path, 'sd1');
    expect(vae.encoder?.config.scalingFactor).toBe(0.2);
    expect(vae.decoder?.source === 'weights' && vae.decoder.weights.size).toBe(vaeDecoderTensors(tinyVae).size);
  }
  expect((await rejection(openVae(join(folder, 'tokenizer'), 'sd1'))).code).toBe('NOT_A_CHECKPOINT');
});
