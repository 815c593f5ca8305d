import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import {
  GraphProtoSchema,
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from '../../onnx/onnx_pb.js';
import { openCheckpoint, openVae } from '../open.ts';
import { rejection, scratchFolder, textJson, unetJson, vaeJson, writeJson } from '../test-support.ts';
import { readOnnxHeader } from './onnx-header.ts';

type Dims = (number | string)[];

function port(name: string, dims: Dims, elemType = 1) {
  const dim = dims.map((value) =>
    create(TensorShapeProto_DimensionSchema, {
      value: typeof value === 'number' ? { case: 'dimValue', value: BigInt(value) } : { case: 'dimParam', value },
    }),
  );
  const tensor = create(TypeProto_TensorSchema, { elemType, shape: create(TensorShapeProtoSchema, { dim }) });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
  });
}

/** An ONNX file with a half-precision weight of 3 x 5 inside and, where named, a float one of 7 in a data file. */
function model(inputs: [string, Dims, number?][], outputs: [string, Dims][], external?: string): Uint8Array {
  const inside = create(TensorProtoSchema, {
    name: 'w',
    dims: [3n, 5n],
    dataType: 10,
    rawData: new Uint8Array(200_000),
  });
  const outside = create(TensorProtoSchema, {
    name: 'x',
    dims: [7n],
    dataType: 1,
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: [create(StringStringEntryProtoSchema, { key: 'location', value: external ?? '' })],
  });
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      graph: create(GraphProtoSchema, {
        name: 'g',
        initializer: external === undefined ? [inside] : [inside, outside],
        input: inputs.map(([name, dims, type]) => port(name, dims, type)),
        output: outputs.map(([name, dims]) => port(name, dims)),
      }),
    }),
  );
}

const unetInputs: [string, Dims, number?][] = [
  ['sample', ['batch', 4, 'height', 'width']],
  ['timestep', [], 7],
  ['encoder_hidden_states', ['batch', 'sequence', 64]],
];
const parts = {
  unet: model(unetInputs, [['out_sample', ['batch', 4, 'height', 'width']]]),
  vae_encoder: model([['sample', ['batch', 3, 'h', 'w']]], [['latent_parameters', ['batch', 8, 'h', 'w']]]),
  vae_decoder: model(
    [['latent_sample', ['batch', 4, 'h', 'w']]],
    [['sample', ['batch', 3, 'h', 'w']]],
    'model.onnx_data',
  ),
  text_encoder: model(
    [['input_ids', ['batch', 77], 6]],
    [
      ['last_hidden_state', ['batch', 77, 64]],
      ['pooler_output', ['batch', 64]],
      ...[0, 1, 2].map((i): [string, Dims] => [`hidden_states.${i}`, ['batch', 77, 64]]),
    ],
  ),
};

/** A whole tiny SD1 as Optimum exports it. */
async function writeOnnxFolder(): Promise<string> {
  const folder = scratchFolder();
  for (const [part, bytes] of Object.entries(parts)) {
    await mkdir(join(folder, part));
    await writeFile(join(folder, part, 'model.onnx'), bytes);
  }
  await writeFile(join(folder, 'vae_decoder/model.onnx_data'), new Uint8Array(28));
  await writeJson(join(folder, 'unet/config.json'), unetJson);
  await writeJson(join(folder, 'vae_decoder/config.json'), vaeJson);
  await writeJson(join(folder, 'text_encoder/config.json'), textJson);
  await writeJson(join(folder, 'scheduler/scheduler_config.json'), { _class_name: 'PNDMScheduler' });
  await writeJson(join(folder, 'tokenizer/tokenizer.json'), {
    model: { vocab: { a: 1 } },
    added_tokens: [{ id: 9, content: '<|endoftext|>' }],
  });
  await writeJson(join(folder, 'tokenizer/special_tokens_map.json'), { pad_token: { content: '<|endoftext|>' } });
  const component = ['diffusers', 'OnnxRuntimeModel'];
  await writeJson(join(folder, 'model_index.json'), {
    _class_name: 'OnnxStableDiffusionPipeline',
    unet: component,
    vae_encoder: component,
    vae_decoder: component,
    text_encoder: component,
    tokenizer: ['transformers', 'CLIPTokenizer'],
    scheduler: ['diffusers', 'PNDMScheduler'],
  });
  return folder;
}

describe('an ONNX folder', () => {
  it('is its parts and their configs', async () => {
    const folder = await writeOnnxFolder();
    expect(await openCheckpoint(folder)).toMatchObject({
      layout: 'onnx',
      family: 'sd1',
      variant: 'base',
      dtype: 'F16',
      parameters: { unet: 15, vaeEncoder: 15, vaeDecoder: 22, textEncoder: 15 },
      unet: {
        source: 'onnx',
        path: join(folder, 'unet/model.onnx'),
        config: { crossAttentionDim: 64, sampleSize: 32 },
      },
      vae: { encoder: { source: 'onnx' }, decoder: { source: 'onnx', config: { scalingFactor: 0.2 } } },
      textEncoder: {
        part: { source: 'onnx', config: { hiddenSize: 64 } },
        tokenizer: { folder: join(folder, 'tokenizer'), padTokenId: 9 },
      },
      scheduler: { stepsOffset: 1 },
      notes: [],
    });
  });

  it('without configs is told from the graphs', async () => {
    const folder = await writeOnnxFolder();
    for (const part of ['unet', 'vae_decoder', 'text_encoder']) await rm(join(folder, part, 'config.json'));
    await rm(join(folder, 'model_index.json'));
    expect(await openCheckpoint(folder)).toMatchObject({
      family: 'sd1',
      unet: { config: { inChannels: 4, outChannels: 4, crossAttentionDim: 64, addition: null, sampleSize: 64 } },
      vae: { decoder: { config: { latentChannels: 4, scalingFactor: 0.18215 } } },
      textEncoder: { part: { config: { hiddenSize: 64, layers: 2 } } },
    });
  });

  it('of SDXL and LCM is told by what the UNet takes', async () => {
    const folder = await writeOnnxFolder();
    await rm(join(folder, 'unet/config.json'));
    const more: [string, Dims][] = [
      ['text_embeds', ['batch', 1280]],
      ['time_ids', ['batch', 6]],
      ['timestep_cond', ['batch', 256]],
    ];
    await writeFile(
      join(folder, 'unet/model.onnx'),
      model([...unetInputs, ...more], [['out_sample', ['batch', 4, 'h', 'w']]]),
    );
    const error = await rejection(openCheckpoint(folder));
    expect(error).toMatchObject({ code: 'PART_MISSING', message: expect.stringContaining('second text encoder') });
    await mkdir(join(folder, 'text_encoder_2'));
    await writeFile(
      join(folder, 'text_encoder_2/model.onnx'),
      model(
        [['input_ids', ['batch', 77], 7]],
        [
          ['text_embeds', ['batch', 1280]],
          ['last_hidden_state', ['batch', 77, 0]],
        ],
      ),
    );
    await writeJson(join(folder, 'text_encoder_2/config.json'), {
      ...textJson,
      hidden_size: 128,
      projection_dim: 1280,
    });
    await rm(join(folder, 'text_encoder/config.json'));
    // 64 channels of text are wanted, 64 + 128 are given.
    expect((await rejection(openCheckpoint(folder))).message).toMatch(
      /reads text of 64 channels, the text encoder gives 192/,
    );
  });

  it.each(['unet', 'vae_encoder', 'vae_decoder', 'text_encoder'])('without %s names it', async (part) => {
    const folder = await writeOnnxFolder();
    await rm(join(folder, part), { recursive: true });
    expect(await rejection(openCheckpoint(folder))).toMatchObject({
      code: 'PART_MISSING',
      message: expect.stringContaining(join(folder, part, 'model.onnx')),
    });
  });

  it('without the data file of a part names it', async () => {
    const folder = await writeOnnxFolder();
    await rm(join(folder, 'vae_decoder/model.onnx_data'));
    expect(await rejection(openCheckpoint(folder))).toMatchObject({
      code: 'PART_MISSING',
      message: expect.stringContaining('model.onnx_data'),
    });
  });

  it('whose graph names a data file elsewhere is refused', async () => {
    const folder = await writeOnnxFolder();
    const bytes = model(
      [['latent_sample', ['batch', 4, 'h', 'w']]],
      [['sample', ['batch', 3, 'h', 'w']]],
      '../../etc/passwd',
    );
    await writeFile(join(folder, 'vae_decoder/model.onnx'), bytes);
    expect((await rejection(openCheckpoint(folder))).code).toBe('PATH_ESCAPES');
  });

  it('whose graph was cut short, or is none, is refused by name', async () => {
    const folder = await writeOnnxFolder();
    const path = join(folder, 'vae_decoder/model.onnx');
    await truncate(path, (await readFile(path)).length - 10);
    expect(await rejection(openCheckpoint(folder))).toMatchObject({
      code: 'HEADER_INVALID',
      message: expect.stringContaining(path),
    });
    for (const bytes of ['', 'not a model', '\xff'.repeat(64), 'version https://git-lfs.github.com/spec/v1']) {
      await writeFile(path, bytes);
      expect((await rejection(openCheckpoint(folder))).code, bytes).toBe('HEADER_INVALID');
    }
  });

  it('lends its VAE alone', async () => {
    const vae = await openVae(await writeOnnxFolder(), 'sd1');
    expect(vae.decoder).toMatchObject({ source: 'onnx', config: { scalingFactor: 0.2 } });
  });
});

describe('the outline of an ONNX file', () => {
  it('tells ports and parameters without reading weights', async () => {
    const path = join(scratchFolder(), 'model.onnx');
    await writeFile(path, parts.vae_decoder);
    expect(readOnnxHeader(path)).toEqual({
      inputs: [{ name: 'latent_sample', elementType: 1, dims: [null, 4, null, null] }],
      outputs: [{ name: 'sample', elementType: 1, dims: [null, 3, null, null] }],
      initializers: [
        { name: 'w', dtype: 'F16', shape: [3, 5] },
        { name: 'x', dtype: 'F32', shape: [7] },
      ],
      externalFiles: new Set(['model.onnx_data']),
      fileSize: parts.vae_decoder.length,
    });
  });
});
