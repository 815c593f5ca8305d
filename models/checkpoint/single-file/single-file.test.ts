import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSafetensorsHeader } from '../../weights/safetensors.ts';
import type { WeightMap } from '../../weights/weight-map.ts';
import { writeSafetensors } from '../../weights/write-safetensors.ts';
import type { Part } from '../checkpoint.ts';
import { textEncoderTensors, unetTensors, vaeDecoderTensors } from '../module-names.ts';
import { openCheckpoint, openVae, surveyCheckpoint } from '../open.ts';
import {
  type LdmModel,
  ldmShapes,
  rejection,
  type Shapes,
  scratchFolder,
  sd1Model,
  sd2Model,
  sdxlModel,
  tinyText,
  tinyTwo,
  tinyUNet,
  tinyVae,
  writeModel,
  zeros,
} from '../test-support.ts';

function weightsOf<C>(part: Part<C> | null | undefined): WeightMap {
  if (part?.source !== 'weights') throw new Error('not authored');
  return part.weights;
}

const open = async (model: LdmModel, metadata = {}, extra = {}) =>
  openCheckpoint(await writeModel(ldmShapes(model), metadata, extra));

describe('a single file of each family', () => {
  it('SD1', async () => {
    const checkpoint = await open(sd1Model);
    expect(checkpoint).toMatchObject({
      name: 'model',
      layout: 'single-file',
      family: 'sd1',
      variant: 'base',
      dtype: 'F16',
      predictionType: 'epsilon',
      predictionTypeFrom: 'family-default',
      hiddenStateFromEnd: 1,
      finalNorm: true,
      zeroEmptyNegative: false,
      textEncoder2: null,
      notes: [],
      unet: { source: 'weights', config: tinyUNet },
      vae: { encoder: { config: tinyVae }, decoder: { config: tinyVae } },
      textEncoder: { part: { config: tinyText }, tokenizer: { folder: null, padTokenId: 599, maxLength: 77 } },
      scheduler: {
        className: 'PNDMScheduler',
        betaSchedule: 'scaled_linear',
        stepsOffset: 1,
        unspecified: ['spacing'],
      },
    });
    expect([...weightsOf(checkpoint.unet).keys()].sort()).toEqual([...unetTensors(tinyUNet).keys()].sort());
    const parameters = [...unetTensors(tinyUNet).values()].reduce(
      (sum, shape) => sum + shape.reduce((a, b) => a * b, 1),
      0,
    );
    expect(checkpoint.parameters.unet).toBe(parameters);
  });

  it('SD2, whose last OpenCLIP layer is not used and whose prediction type is a setting', async () => {
    const path = await writeModel(ldmShapes(sd2Model));
    const checkpoint = await openCheckpoint(path);
    expect(checkpoint).toMatchObject({
      family: 'sd2',
      hiddenStateFromEnd: 2,
      predictionType: 'epsilon',
      predictionTypeFrom: 'family-default',
      unet: { config: tinyTwo },
      textEncoder: { part: { config: { activation: 'gelu', layers: 2 } }, tokenizer: { padTokenId: 0 } },
    });
    expect(checkpoint.notes.join()).toMatch(/cannot be told.*set the prediction type/);

    const set = await openCheckpoint(path, { predictionType: 'v_prediction' });
    expect(set).toMatchObject({
      predictionType: 'v_prediction',
      predictionTypeFrom: 'setting',
      notes: [],
      scheduler: { predictionType: 'v_prediction', className: 'DDIMScheduler' },
      unet: { config: { sampleSize: 96 } },
    });
  });

  it('SD2 written from a diffusers folder, which has no layer too many', async () => {
    const shapes = ldmShapes(sd2Model);
    shapes.delete('cond_stage_model.model.text_projection');
    expect((await openCheckpoint(await writeModel(shapes))).hiddenStateFromEnd).toBe(1);
  });

  it('SDXL', async () => {
    const checkpoint = await open(sdxlModel);
    expect(checkpoint).toMatchObject({
      family: 'sdxl',
      hiddenStateFromEnd: 2,
      finalNorm: false,
      zeroEmptyNegative: true,
      predictionType: 'epsilon',
      unet: { config: sdxlModel.unet },
      vae: { decoder: { config: { scalingFactor: 0.13025, forceUpcast: true } } },
      textEncoder: {
        part: { config: { activation: 'quick_gelu', projectionDim: null } },
        tokenizer: { padTokenId: 599 },
      },
      textEncoder2: { part: { config: { activation: 'gelu', projectionDim: 48 } }, tokenizer: { padTokenId: 0 } },
      scheduler: { className: 'EulerDiscreteScheduler', spacing: 'leading', unspecified: [] },
    });
    expect(weightsOf(checkpoint.textEncoder2?.part).get('text_projection.weight')).toMatchObject({
      shape: [48, 64],
      transposed: true,
    });
  });

  it('inpaint and LCM variants of them', async () => {
    const inpaint = { ...tinyUNet, inChannels: 9 };
    expect((await open({ ...sd1Model, unet: inpaint })).variant).toBe('inpaint');
    const lcm = await open({ ...sd1Model, unet: { ...tinyUNet, timeCondProjDim: 10 } });
    expect(lcm).toMatchObject({ variant: 'lcm', unet: { config: { timeCondProjDim: 10 } } });
  });
});

describe('the weights', () => {
  it('lie where they lay, in the shapes that the network wants', async () => {
    const path = await writeModel(ldmShapes(sd1Model));
    const { tensors } = await readSafetensorsHeader(path);
    const checkpoint = await openCheckpoint(path);
    const conv = weightsOf(checkpoint.unet).get('down_blocks.0.resnets.0.conv1.weight');
    expect(conv).toEqual(tensors.get('model.diffusion_model.input_blocks.1.0.in_layers.2.weight'));
    const stored = tensors.get('first_stage_model.decoder.mid.attn_1.q.weight');
    expect(stored?.shape).toEqual([64, 64, 1, 1]);
    const query = weightsOf(checkpoint.vae.decoder).get('decoder.mid_block.attentions.0.to_q.weight');
    expect(query).toEqual({ ...stored, shape: [64, 64] });
  });

  it('may be of any float dtype, mixed', async () => {
    const tensors = zeros(ldmShapes(sd1Model), 'BF16');
    for (const [name, tensor] of zeros(ldmShapes(sd1Model), 'F32')) {
      if (name.startsWith('first_stage_model.')) tensors.set(name, tensor);
    }
    const path = join(scratchFolder(), 'mixed.safetensors');
    await writeSafetensors(path, tensors);
    const checkpoint = await openCheckpoint(path);
    expect(checkpoint.dtype).toBe('BF16');
    expect(weightsOf(checkpoint.vae.decoder).get('decoder.conv_in.weight')?.dtype).toBe('F32');
  });

  it('come without what training left behind, and without a word on it', async () => {
    const checkpoint = await open(
      sd1Model,
      {},
      {
        'cond_stage_model.transformer.text_model.embeddings.position_ids': {
          dtype: 'I64',
          shape: [1, 77],
          data: new Uint8Array(616),
        },
        betas: { dtype: 'F32', shape: [2], data: new Uint8Array(8) },
        global_step: { dtype: 'I64', shape: [], data: new Uint8Array(8) },
        'first_stage_model.loss.logvar': { dtype: 'F32', shape: [], data: new Uint8Array(4) },
        'model_ema.decay': { dtype: 'F32', shape: [], data: new Uint8Array(4) },
      },
    );
    expect(checkpoint.notes).toEqual([]);
  });

  it('of the UNet that have no place in it are said', async () => {
    const stranger = { dtype: 'F16' as const, shape: [1], data: new Uint8Array(2) };
    const checkpoint = await open(sd1Model, {}, { 'model.diffusion_model.input_blocks.1.0.gate': stranger });
    expect(checkpoint.notes.join()).toMatch(/One tensor of the UNet.*input_blocks\.1\.0\.gate/);
  });
});

describe('the prediction type', () => {
  const marker = { dtype: 'F16' as const, shape: [0], data: new Uint8Array(0) };

  it.each<[metadata: Record<string, string>, expected: string]>([
    [{ 'modelspec.prediction_type': 'v' }, 'v_prediction'],
    [{ 'modelspec.prediction_type': 'epsilon' }, 'epsilon'],
    [{ ss_v_parameterization: 'True' }, 'v_prediction'],
    [{ 'modelspec.architecture': 'stable-diffusion-v2-768-v' }, 'v_prediction'],
    [{ 'modelspec.architecture': 'stable-diffusion-v2-512' }, 'epsilon'],
  ])('is read from the metadata %j', async (metadata, expected) => {
    const checkpoint = await open(sd2Model, metadata);
    expect(checkpoint).toMatchObject({ predictionType: expected, predictionTypeFrom: 'metadata', notes: [] });
  });

  it('is told by the marker tensors of SDXL files, zero terminal SNR too', async () => {
    expect(await open(sdxlModel, {}, { v_pred: marker })).toMatchObject({
      predictionType: 'v_prediction',
      predictionTypeFrom: 'tensors',
      scheduler: { rescaleBetasZeroSnr: false, spacing: 'leading' },
    });
    expect(await open(sdxlModel, {}, { v_pred: marker, ztsnr: marker })).toMatchObject({
      predictionType: 'v_prediction',
      scheduler: { rescaleBetasZeroSnr: true, spacing: 'trailing', unspecified: [] },
    });
  });

  it("is the caller's before all", async () => {
    const path = await writeModel(ldmShapes(sdxlModel), { 'modelspec.prediction_type': 'v' }, { v_pred: marker });
    const checkpoint = await openCheckpoint(path, { predictionType: 'epsilon' });
    expect(checkpoint).toMatchObject({ predictionType: 'epsilon', predictionTypeFrom: 'setting' });
  });
});

describe('what tensors cannot tell', () => {
  it('is hinted by the caller, or by the file under the caller', async () => {
    const metadata = {
      'impasto.hints': JSON.stringify({
        unet: { attentionHeads: 4 },
        textEncoder: { heads: 2 },
        vae: { scalingFactor: 0.5 },
      }),
      'modelspec.resolution': '512x768',
    };
    const path = await writeModel(ldmShapes(sd1Model), metadata);
    const checkpoint = await openCheckpoint(path, { hints: { textEncoder: { heads: 8 }, hiddenStateFromEnd: 2 } });
    expect(checkpoint).toMatchObject({
      unet: { config: { attentionHeads: [4, 4], sampleSize: 80 } },
      textEncoder: { part: { config: { heads: 8 } } },
      vae: { decoder: { config: { scalingFactor: 0.5 } } },
      hiddenStateFromEnd: 2,
    });
  });

  it.each(['{', '{"unet":{"heads":3}}', 'null'])('hints %j in a file are refused', async (hints) => {
    const path = await writeModel(ldmShapes(sd1Model), { 'impasto.hints': hints });
    expect((await rejection(openCheckpoint(path))).code).toBe('CONFIG_INVALID');
  });
});

describe('a file with something missing', () => {
  const without = async (model: LdmModel, pattern: RegExp) => {
    const shapes = ldmShapes(model);
    for (const name of shapes.keys()) if (pattern.test(name)) shapes.delete(name);
    return writeModel(shapes);
  };

  it.each<[name: string, model: LdmModel]>([
    ['model.diffusion_model.input_blocks.0.0.weight', sd1Model],
    ['model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight', sd1Model],
    ['model.diffusion_model.output_blocks.1.1.conv.bias', sd1Model],
    ['first_stage_model.decoder.mid.attn_1.k.weight', sd1Model],
    ['first_stage_model.encoder.down.2.block.0.nin_shortcut.bias', sd1Model],
    ['cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc2.bias', sd1Model],
    ['cond_stage_model.model.transformer.resblocks.1.attn.in_proj_weight', sd2Model],
    ['conditioner.embedders.1.model.ln_final.weight', sdxlModel],
    ['model.diffusion_model.label_emb.0.2.bias', sdxlModel],
  ])('names %s as the file would', async (name, model) => {
    const path = await without(model, new RegExp(`^${name.replaceAll('.', '\\.')}$`));
    expect(await rejection(openCheckpoint(path))).toMatchObject({
      code: 'TENSOR_MISSING',
      message: expect.stringContaining(`'${name}'`),
    });
  });

  it('counts what else is missing of a part', async () => {
    const path = await without(sd1Model, /output_blocks\.0\.0\./);
    expect((await rejection(openCheckpoint(path))).message).toMatch(
      /lacks 'model\.diffusion_model\.output_blocks\.0\.0\..*\(and 11 more\)/,
    );
  });

  it('opens without a VAE, to be drawn with one of its own, and tells inspect', async () => {
    const path = await without(sdxlModel, /^first_stage_model\./);
    expect((await openCheckpoint(path)).vae).toEqual({ encoder: null, decoder: null });
    expect(await surveyCheckpoint(path)).toMatchObject({ missing: ['VAE'], problems: [] });
  });

  it('opens with a VAE that can only decode', async () => {
    const path = await without(sd1Model, /^first_stage_model\.(?:encoder|quant_conv)/);
    const checkpoint = await openCheckpoint(path);
    expect(checkpoint.vae.encoder).toBeNull();
    expect([...weightsOf(checkpoint.vae.decoder).keys()].sort()).toEqual([...vaeDecoderTensors(tinyVae).keys()].sort());
    expect(checkpoint.notes.join()).toMatch(/no encoder/);
  });

  it.each<[LdmModel, RegExp, string]>([
    [sd1Model, /^cond_stage_model/, 'has no text encoder'],
    [sdxlModel, /^conditioner\.embedders\.0/, 'has no text encoder'],
    [sdxlModel, /^conditioner\.embedders\.1/, 'has no second text encoder'],
  ])('is refused without a text encoder (%#)', async (model, pattern, says) => {
    const error = await rejection(openCheckpoint(await without(model, pattern)));
    expect(error).toMatchObject({ code: 'PART_MISSING', message: expect.stringContaining(says) });
  });

  it('tells inspect all of it', async () => {
    const path = await without(sd1Model, /middle_block\.1\.norm\.bias|decoder\.conv_in\.bias|^cond_stage_model/);
    const survey = await surveyCheckpoint(path);
    expect(survey.missing).toEqual([
      'model.diffusion_model.middle_block.1.norm.bias',
      'text encoder',
      'first_stage_model.decoder.conv_in.bias',
    ]);
    expect(survey.problems.map(({ code }) => code)).toEqual(['TENSOR_MISSING', 'PART_MISSING', 'TENSOR_MISSING']);
  });
});

describe('a file that does not fit', () => {
  const changed = (model: LdmModel, changes: Record<string, readonly number[]>): Promise<string> =>
    writeModel(new Map([...ldmShapes(model), ...Object.entries(changes)]));

  it('names the tensor of a wrong shape, and both shapes', async () => {
    const name = 'model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight';
    const error = await rejection(openCheckpoint(await changed(sd1Model, { [name]: [64, 65] })));
    expect(error.code).toBe('TENSOR_SHAPE');
    expect(error.message).toContain(`'${name}' of the UNet is [64, 65], expected [64, 64]`);
  });

  it.each([
    ['I64', 8, 'quantised'],
    ['F8_E4M3', 1, 'F8_E4M3 weights'],
    ['U8', 1, 'quantised'],
  ] as const)('names a weight of %s', async (dtype, size, says) => {
    const name = 'first_stage_model.decoder.conv_in.bias';
    const path = await writeModel(
      ldmShapes(sd1Model),
      {},
      { [name]: { dtype, shape: [64], data: new Uint8Array(64 * size) } },
    );
    const error = await rejection(openCheckpoint(path));
    expect(error).toMatchObject({ code: 'TENSOR_DTYPE', message: expect.stringContaining(name) });
    expect(error.remedy).toContain(says);
  });

  it.each<[what: string, model: LdmModel, says: RegExp]>([
    ['an InstructPix2Pix model', { ...sd1Model, unet: { ...tinyUNet, inChannels: 8 } }, /InstructPix2Pix/],
    ['a depth model', { ...sd2Model, unet: { ...tinyTwo, inChannels: 5 } }, /depth/],
    [
      'another text encoder',
      { ...sd1Model, openAi: { prefix: 'cond_stage_model.transformer.', config: { ...tinyText, hiddenSize: 32 } } },
      /reads text of 64 channels, the text encoder gives 32/,
    ],
    ['another VAE', { ...sd1Model, vae: { ...tinyVae, latentChannels: 16 } }, /the VAE decodes 16/],
    [
      'an SDXL refiner',
      {
        ...sdxlModel,
        openAi: null,
        openClip: { prefix: 'conditioner.embedders.0.model.', config: sdxlModel.openClip?.config ?? tinyText },
      },
      /refiner/,
    ],
    ['an unCLIP model', { ...sd2Model, unet: { ...tinyTwo, addition: sdxlModel.unet.addition } }, /unCLIP/],
  ])('is refused: %s', async (_, model, says) => {
    const error = await rejection(openCheckpoint(await writeModel(ldmShapes(model))));
    expect(error.code).toBe('UNKNOWN_ARCHITECTURE');
    expect(error.message).toMatch(says);
  });
});

describe('a file that is no checkpoint', () => {
  const of = (...names: string[]): Shapes => new Map(names.map((name) => [name, [2, 2]]));
  const bare = (prefix: string): Shapes =>
    new Map(
      [...ldmShapes(sd1Model)].flatMap(([name, shape]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), shape]] : [],
      ),
    );

  it.each<[shapes: Shapes, code: string, says: RegExp]>([
    [of('lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight'), 'IS_ADAPTER', /a LoRA/],
    [of('unet.down_blocks.0.attentions.0.proj_in.lora_A.weight'), 'IS_ADAPTER', /a LoRA/],
    [of('unet.down_blocks.0.attn1.processor.to_q_lora.down.weight'), 'IS_ADAPTER', /a LoRA/],
    [of('lora_te_text_model_encoder_layers_0_mlp_fc1.hada_w1_a'), 'IS_ADAPTER', /a LoRA/],
    [of('emb_params'), 'IS_ADAPTER', /a textual inversion/],
    [of('clip_g', 'clip_l'), 'IS_ADAPTER', /a textual inversion/],
    [
      of('control_model.input_blocks.0.0.weight', 'model.diffusion_model.out.0.weight'),
      'NOT_A_CHECKPOINT',
      /ControlNet/,
    ],
    [of('model.diffusion_model.double_blocks.0.img_attn.qkv.weight'), 'UNKNOWN_ARCHITECTURE', /Flux/],
    [of('model.diffusion_model.joint_blocks.0.x_block.mlp.fc1.weight'), 'UNKNOWN_ARCHITECTURE', /Stable Diffusion 3/],
    [of('edm_mean', 'model.diffusion_model.out.0.weight'), 'UNKNOWN_ARCHITECTURE', /EDM/],
    [bare('model.diffusion_model.'), 'NOT_A_CHECKPOINT', /a UNet alone/],
    [new Map(unetTensors(tinyUNet)), 'NOT_A_CHECKPOINT', /a UNet alone/],
    [bare('first_stage_model.'), 'NOT_A_CHECKPOINT', /is a VAE/],
    [new Map(textEncoderTensors(tinyText)), 'NOT_A_CHECKPOINT', /is a text encoder/],
    [of('body.0.rdb1.conv1.weight'), 'NOT_A_CHECKPOINT', /'body\.0\.rdb1\.conv1\.weight'/],
    [new Map(), 'NOT_A_CHECKPOINT', /holds no tensors/],
  ])('says what it is (%#)', async (shapes, code, says) => {
    const error = await rejection(openCheckpoint(await writeModel(shapes)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(says);
    expect(error.remedy).not.toBe('');
  });
});

describe('a VAE alone', () => {
  it('in LDM names, in diffusers names, or of a whole checkpoint', async () => {
    const ldm = new Map(
      [...ldmShapes(sd1Model)].flatMap(([name, shape]) =>
        name.startsWith('first_stage_model.') ? [[name.slice('first_stage_model.'.length), shape] as const] : [],
      ),
    );
    const diffusers = new Map([...vaeDecoderTensors(tinyVae)]);
    for (const [shapes, hasEncoder] of [
      [ldm, true],
      [diffusers, false],
      [ldmShapes(sd1Model), true],
    ] as const) {
      const { encoder, decoder } = await openVae(await writeModel(shapes), 'sdxl');
      expect(encoder !== null).toBe(hasEncoder);
      expect(decoder?.config).toMatchObject({ blockOutChannels: [32, 32, 64], scalingFactor: 0.13025 });
      expect([...weightsOf(decoder).keys()].sort()).toEqual([...vaeDecoderTensors(tinyVae).keys()].sort());
    }
  });

  it('is told from what is none', async () => {
    const lora = new Map([['lora_unet_x.lora_up.weight', [1, 1]]]);
    expect((await rejection(openVae(await writeModel(lora), 'sd1'))).code).toBe('IS_ADAPTER');
    const part = new Map([...vaeDecoderTensors(tinyVae)].slice(0, -1));
    expect(await rejection(openVae(await writeModel(part), 'sd1'))).toMatchObject({
      code: 'TENSOR_MISSING',
      message: expect.stringContaining("'decoder.conv_out.bias'"),
    });
  });
});
