import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OnnxHeader, OnnxPort } from '../checkpoint/onnx/onnx-header.ts';
import { samHalf } from './sam-graphs.ts';
import { openSam } from './sam-pair.ts';

const fixtures = resolve(import.meta.dirname, '../../fixtures/segmentation');
const file = (path: string) => join(fixtures, path);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'impasto-sam-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (path: string, name = basename(path)) => copyFileSync(file(path), join(folder, name));
const halves = async (path = folder) => {
  const { encoder, decoder } = await openSam(path);
  return [basename(encoder.path), basename(decoder.path)];
};

describe('two halves are found', () => {
  it('by what their graphs take and give', async () => {
    expect(await openSam(file('original'))).toMatchObject({
      side: 128,
      encoder: { takes: 'planes', input: 'x', embeddings: 'image_embeddings', positions: null },
      decoder: { layout: 'original', masks: 'low_res_masks', scores: 'iou_predictions' },
      notes: [],
    });
    expect(await openSam(file('optimum'))).toMatchObject({
      side: 128,
      encoder: { takes: 'planes', positions: 'image_positional_embeddings' },
      decoder: { layout: 'optimum', masks: 'pred_masks', scores: 'iou_scores' },
    });
    put('hwc/tiny.encoder.onnx', 'first.onnx');
    put('original/tiny.decoder.onnx', 'second.onnx');
    // The side is the decoder's to say.
    expect(await openSam(folder)).toMatchObject({ side: 128, encoder: { takes: 'rows', side: null } });
  });

  it('in onnx/ too, and beside variants of other precisions the plain ones', async () => {
    mkdirSync(join(folder, 'onnx'));
    for (const variant of ['', '_fp16', '_quantized']) {
      put('optimum/vision_encoder.onnx', `onnx/vision_encoder${variant}.onnx`);
      put('optimum/prompt_encoder_mask_decoder.onnx', `onnx/prompt_encoder_mask_decoder${variant}.onnx`);
    }
    const { notes } = await openSam(folder);
    expect(await halves()).toEqual(['vision_encoder.onnx', 'prompt_encoder_mask_decoder.onnx']);
    expect(notes).toHaveLength(1);
    const named = join(folder, 'onnx/vision_encoder_fp16.onnx');
    expect(await halves(named)).toEqual(['vision_encoder_fp16.onnx', 'prompt_encoder_mask_decoder_fp16.onnx']);
  });

  it('of several models the pair that one file names', async () => {
    for (const model of ['sam_vit_b', 'mobile_sam']) {
      put('original/tiny.encoder.onnx', `${model}.encoder.onnx`);
      put('original/tiny.decoder.onnx', `${model}.decoder.onnx`);
    }
    await expect(openSam(folder)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    const named = join(folder, 'mobile_sam.decoder.onnx');
    expect(await halves(named)).toEqual(['mobile_sam.encoder.onnx', 'mobile_sam.decoder.onnx']);
  });
});

describe('what is no pair is refused, saying what was expected and what was found', () => {
  const refusal = (path = folder) =>
    openSam(path).then(
      () => null,
      (thrown: { code: string; message: string; remedy: string }) => thrown,
    );

  it('an encoder alone, a decoder alone', async () => {
    put('original/tiny.encoder.onnx');
    expect(await refusal()).toMatchObject({ code: 'PART_MISSING', message: expect.stringContaining('no decoder') });
    rmSync(join(folder, 'tiny.encoder.onnx'));
    put('original/tiny.decoder.onnx');
    expect(await refusal()).toMatchObject({ code: 'PART_MISSING', message: expect.stringContaining('no encoder') });
  });

  it('halves of different exports', async () => {
    put('original/tiny.encoder.onnx');
    put('optimum/prompt_encoder_mask_decoder.onnx');
    expect(await refusal()).toMatchObject({
      code: 'TENSOR_SHAPE',
      message: expect.stringContaining('image_positional_embeddings'),
    });
  });

  it('other networks, a cut file, an empty folder', async () => {
    const unet = resolve(fixtures, '../small/models/turbo-onnx/unet/model.onnx');
    symlinkSync(unet, join(folder, 'encoder.onnx'));
    symlinkSync(unet, join(folder, 'decoder.onnx'));
    const found = await refusal();
    expect(found).toMatchObject({ code: 'UNKNOWN_ARCHITECTURE', message: expect.stringContaining('takes sample [') });
    expect(found?.remedy).toContain('point_coords');
    rmSync(join(folder, 'encoder.onnx'));
    cpSync(resolve(fixtures, 'cases.json'), join(folder, 'encoder.onnx'));
    expect(await refusal()).toMatchObject({ code: 'HEADER_INVALID' });
    expect(await refusal(file('images'))).toMatchObject({ code: 'PART_MISSING' });
  });
});

describe('a graph', () => {
  const port = (name: string, ...dims: (number | null)[]): OnnxPort => ({ name, elementType: 1, dims });
  const header = (inputs: OnnxPort[], outputs: OnnxPort[]): OnnxHeader => ({
    inputs,
    outputs,
    initializers: [],
    externalFiles: new Set(),
    fileSize: 1,
  });
  const embeddings = port('image_embeddings', 1, 256, 64, 64);
  const points = [port('point_coords', 1, null, 2), port('point_labels', 1, null)];

  it('of EdgeSAM is one of the known', () => {
    const half = samHalf(header([embeddings, ...points], [port('scores', 1, 4), port('masks', 1, 4, 256, 256)]), 'x');
    expect(half).toMatchObject({ role: 'decoder', layout: 'edge-sam', side: 1024 });
    expect(samHalf(header([port('image', 1, 3, 1024, 1024)], [embeddings]), 'x')).toMatchObject({ side: 1024 });
  });

  it('of Optimum may leave its sides open', () => {
    const half = samHalf(
      header(
        [port('pixel_values', null, null, null, null)],
        [embeddings, port('image_positional_embeddings', null, 256, 64, 64)],
      ),
      'x',
    );
    expect(half).toMatchObject({
      role: 'encoder',
      takes: 'planes',
      side: null,
      positions: 'image_positional_embeddings',
    });
  });

  it('whose weights are among its inputs is read without them', () => {
    const old = header([port('x', 1, 3, 1024, 1024), port('w', 3)], [embeddings]);
    old.initializers.push({ name: 'w', dtype: 'F32', shape: [3] });
    expect(samHalf(old, 'x')).toMatchObject({ role: 'encoder', input: 'x' });
  });

  it('of an upscaler is no encoder', () => {
    expect(samHalf(header([port('image', 1, 3, null, null)], [port('output', 1, 3, null, null)]), 'x')).toBeNull();
  });

  it.each([
    ['SAM 2', [port('image', 1, 3, 1024, 1024)], [port('high_res_feats_0', 1, 32, 256, 256), embeddings]],
    ['SAM 2', [port('pixel_values', 1, 3, 1024, 1024)], [port('image_embeddings.0', 1, 32, 256, 256)]],
    ['SAM-HQ', [embeddings, port('interm_embeddings', 4, 1, 64, 64, 768), ...points], [port('masks')]],
    ['EfficientSAM', [port('batched_images', 1, 3, null, null)], [embeddings]],
    ['one graph', [port('pixel_values', 1, 3, 1024, 1024), port('input_points', 1, 1, null, 2)], [port('pred_masks')]],
    ['684', [port('input_image', 684, 1024, 3)], [embeddings]],
    ['684', [port('x', 1, 3, 684, 1024)], [embeddings]],
    [
      'low_res_masks',
      [embeddings, ...points, port('mask_input'), port('has_mask_input'), port('orig_im_size')],
      [port('masks')],
    ],
    [
      'input_boxes',
      [port('input_points'), port('input_labels'), port('input_boxes'), embeddings],
      [port('pred_masks')],
    ],
    ['input_labels', [port('input_points'), embeddings, port('image_positional_embeddings')], [port('pred_masks')]],
  ])('that cannot be used is refused by name: %s', (named, inputs, outputs) => {
    expect(() => samHalf(header(inputs, outputs), 'x.onnx')).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_ARCHITECTURE', message: expect.stringContaining(named) }),
    );
  });
});
