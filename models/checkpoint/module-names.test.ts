import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseTextConfig, parseUNetConfig, parseVaeConfig } from './folder/diffusers-config.ts';
import {
  moduleNames,
  type TensorShapes,
  textEncoderTensors,
  unetTensors,
  vaeDecoderTensors,
  vaeEncoderTensors,
} from './module-names.ts';
import recorded from './testdata/state-dicts.json' with { type: 'json' };

/** As `testdata/make_state_dicts.py` records what diffusers and transformers build. */
function summarise(shapes: TensorShapes) {
  const lines = [...shapes].map(([name, shape]) => `${name.replace(/^text_model\./, '')} ${shape.join(',')}`).sort();
  return {
    tensors: shapes.size,
    parameters: [...shapes.values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0),
    sha256: createHash('sha256').update(lines.join('\n')).digest('hex'),
  };
}

describe('the tensors of a network are those of diffusers', () => {
  for (const name of ['sd1', 'sd2', 'sdxl', 'odd'] as const) {
    it(name, () => {
      const { config, ...expected } = recorded[name];
      expect(summarise(unetTensors(parseUNetConfig(config, name)))).toEqual(expected);
    });
  }

  for (const name of ['vae', 'bare-vae'] as const) {
    it(name, () => {
      const { config, ...expected } = recorded[name];
      const vae = parseVaeConfig(config, name, 1);
      expect(summarise(new Map([...vaeEncoderTensors(vae), ...vaeDecoderTensors(vae)]))).toEqual(expected);
    });
  }

  for (const [name, hasProjection] of [
    ['clip-l', false],
    ['big-g', true],
  ] as const) {
    it(name, () => {
      const { config, ...expected } = recorded[name];
      expect(summarise(textEncoderTensors(parseTextConfig(config, name, hasProjection)))).toEqual(expected);
    });
  }
});

it('module names are the tensors without weight and bias, each once', () => {
  const names = moduleNames(['a.norm.weight', 'a.norm.bias', 'a.attn1.to_out.0.weight']);
  expect([...names]).toEqual(['a.norm', 'a.attn1.to_out.0']);
});
