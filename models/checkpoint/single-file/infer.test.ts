import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WeightRef } from '../../weights/weight-map.ts';
import type { UNetConfig, VaeConfig } from '../component-config.ts';
import { parseTextConfig, parseUNetConfig, parseVaeConfig } from '../folder/diffusers-config.ts';
import {
  type TensorShapes,
  textEncoderTensors,
  unetTensors,
  vaeDecoderTensors,
  vaeEncoderTensors,
} from '../module-names.ts';
import type { PartWeights } from '../part-weights.ts';
import { tinyUNet } from '../test-support.ts';
import recorded from '../testdata/state-dicts.json' with { type: 'json' };
import { eightHeads, headsOf64, normGroups } from './head-rules.ts';
import { inferTextEncoderConfig } from './infer-text.ts';
import { inferUNetConfig } from './infer-unet.ts';
import { inferVaeConfig } from './infer-vae.ts';

function partOf(shapes: TensorShapes): PartWeights {
  const weights = new Map<string, WeightRef>();
  for (const [name, shape] of shapes) weights.set(name, { file: 'f', dtype: 'F16', shape, offset: 0, length: 0 });
  return { part: 'UNet', source: 'f', weights, nameInFile: (name) => `file's ${name}` };
}

describe('a UNet', () => {
  it.each(['sd1', 'sd2', 'sdxl'] as const)('of the published %s is told whole from its tensors', (name) => {
    const config = parseUNetConfig(recorded[name].config, name);
    const inferred = inferUNetConfig(partOf(unetTensors(config)));
    if (inferred.addition) inferred.addition.timeEmbedDim = 256;
    expect(inferred).toEqual(config);
  });

  /** Any UNet of the architecture: sizes that the head and group rules fit. */
  const anyUNet: fc.Arbitrary<UNetConfig> = fc.integer({ min: 1, max: 5 }).chain((blocks) =>
    fc
      .record({
        inChannels: fc.constantFrom(4, 9),
        blockOutChannels: fc.array(fc.constantFrom(32, 64, 128, 320), { minLength: blocks, maxLength: blocks }),
        attention: fc.array(fc.boolean(), { minLength: blocks, maxLength: blocks }),
        layersPerBlock: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: blocks, maxLength: blocks }),
        depths: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: blocks, maxLength: blocks }),
        crossAttentionDim: fc.integer({ min: 1, max: 99 }),
        useLinearProjection: fc.boolean(),
        timeCondProjDim: fc.option(fc.integer({ min: 1, max: 20 })),
        added: fc.option(fc.integer({ min: 1, max: 99 })),
        timeEmbedDim: fc.integer({ min: 1, max: 99 }),
      })
      .map(({ attention, depths, added, ...sizes }) => ({
        ...tinyUNet,
        ...sizes,
        sampleSize: 0,
        downBlockAttention: attention,
        upBlockAttention: attention.toReversed(),
        // A block without attention has no depth to be told; the last one's is the middle's.
        transformerLayersPerBlock: depths.map((depth, i) => (attention[i] || i === blocks - 1 ? depth : 1)),
        attentionHeads: sizes.blockOutChannels.map(sizes.useLinearProjection ? headsOf64 : eightHeads),
        addition: added === null ? null : { timeEmbedDim: 0, projectionInputDim: added },
      })),
  );

  it('of any sizes is told from its tensors', () => {
    fc.assert(
      fc.property(anyUNet, (config) => {
        expect(inferUNetConfig(partOf(unetTensors(config)))).toEqual(config);
      }),
      { numRuns: 100 },
    );
  });

  it('takes hints for what tensors cannot tell', () => {
    const part = partOf(unetTensors(tinyUNet));
    const hinted = inferUNetConfig(part, { attentionHeads: [4, 2], normNumGroups: 16, sampleSize: 12 });
    expect(hinted).toMatchObject({ attentionHeads: [4, 2], normNumGroups: 16, sampleSize: 12 });
    expect(inferUNetConfig(part, { attentionHeads: 2 }).attentionHeads).toEqual([2, 2]);
    expect(() => inferUNetConfig(part, { attentionHeads: 7 })).toThrow(/7, 7 attention heads do not fit/);
  });

  it('that lacks what tells a size names it as the file does', () => {
    const shapes = new Map(unetTensors(tinyUNet));
    shapes.delete('conv_in.weight');
    expect(() => inferUNetConfig(partOf(shapes))).toThrow(/lacks 'file's conv_in\.weight'/);
  });

  it('whose attentions differ in depth within a block is refused', () => {
    const shapes = new Map(unetTensors({ ...tinyUNet, layersPerBlock: [2, 1] }));
    for (const name of unetTensors({ ...tinyUNet, transformerLayersPerBlock: [2, 1] }).keys()) {
      if (name.startsWith('down_blocks.0.attentions.0.transformer_blocks.1.')) shapes.set(name, [1]);
    }
    expect(() => inferUNetConfig(partOf(shapes))).toThrow(/2 and 1 transformer blocks/);
  });

  it('with absurd numbers in its names is refused, not listed', () => {
    for (const name of [
      'down_blocks.999999999.resnets.0.conv1.weight',
      'down_blocks.0.resnets.5000.conv1.weight',
      'down_blocks.0.attentions.0.transformer_blocks.99999.norm1.weight',
    ]) {
      const part = partOf(new Map([...unetTensors(tinyUNet), [name, [1, 1, 1, 1]]]));
      expect(() => inferUNetConfig(part)).toThrow(/no network that Impasto knows has more/);
    }
  });
});

describe('a VAE', () => {
  it.each(['vae', 'bare-vae'] as const)('%s is told from its tensors', (name) => {
    const config = parseVaeConfig(recorded[name].config, name, 0.18215);
    const shapes = new Map([...vaeEncoderTensors(config), ...vaeDecoderTensors(config)]);
    const expected: VaeConfig = { ...config, forceUpcast: false };
    expect(inferVaeConfig(partOf(shapes), 'sd1')).toEqual(expected);
    expect(inferVaeConfig(partOf(shapes), 'sdxl')).toEqual({ ...expected, scalingFactor: 0.13025, forceUpcast: true });
    expect(inferVaeConfig(partOf(vaeDecoderTensors(config)), 'sd1')).toEqual({ ...expected, useQuantConv: false });
  });
});

describe('a text encoder', () => {
  it.each([
    ['clip-l', 'openai', false],
    ['big-g', 'openclip', true],
  ] as const)('%s is told from its tensors', (name, kind, hasProjection) => {
    const config = parseTextConfig(recorded[name].config, name, hasProjection);
    const padTokenId = kind === 'openai' ? 49407 : 0;
    expect(inferTextEncoderConfig(partOf(textEncoderTensors(config)), kind)).toEqual({ ...config, padTokenId });
  });

  it('with tokens added behind keeps the begin and end of text of CLIP', () => {
    const config = { ...parseTextConfig(recorded['clip-l'].config, '', false), vocabSize: 49410 };
    expect(inferTextEncoderConfig(partOf(textEncoderTensors(config)), 'openai')).toMatchObject({
      vocabSize: 49410,
      bosTokenId: 49406,
      eosTokenId: 49407,
    });
  });

  it('takes a hint of its heads, if it divides', () => {
    const part = partOf(textEncoderTensors(parseTextConfig(recorded['clip-l'].config, '', false)));
    expect(inferTextEncoderConfig(part, 'openai', { heads: 3 }).heads).toBe(3);
    expect(() => inferTextEncoderConfig(part, 'openai', { heads: 5 })).toThrow(/5 heads do not divide/);
  });
});

it('heads and groups follow the published models, and divide for any width', () => {
  expect([320, 640, 1280].map(headsOf64)).toEqual([5, 10, 20]);
  expect([768, 1024].map(headsOf64)).toEqual([12, 16]);
  expect([3, 32, 63, 96].map(headsOf64)).toEqual([1, 1, 1, 1]);
  expect([320, 640, 1280, 32].map(eightHeads)).toEqual([8, 8, 8, 8]);
  expect(eightHeads(12)).toBe(6);
  expect(normGroups([320, 1280])).toBe(32);
  expect(normGroups([24, 48])).toBe(8);
  expect(normGroups([3])).toBe(1);
  fc.assert(fc.property(fc.integer({ min: 1, max: 5000 }), (width) => width % headsOf64(width) === 0));
});
