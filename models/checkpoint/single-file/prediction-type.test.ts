import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readSafetensorsHeader } from '../../weights/safetensors.ts';
import { writeSafetensors } from '../../weights/write-safetensors.ts';
import { parseUNetConfig } from '../folder/diffusers-config.ts';
import { scratchFolder } from '../test-support.ts';
import recorded from '../testdata/state-dicts.json' with { type: 'json' };
import { findPredictionType } from './prediction-type.ts';

const config = parseUNetConfig(recorded.sd2.config, 'sd2');
const told = 'up_blocks.3.attentions.2.transformer_blocks.0.norm1.bias';

/** The one weight that tells, with half its values at `spread` and half at minus it. */
async function spreadOf(spread: number, sizes = config) {
  const path = join(scratchFolder(), 'x.safetensors');
  const values = Float32Array.from({ length: 320 }, (_, i) => (i % 2 ? spread : -spread));
  await writeSafetensors(path, { [told]: { dtype: 'F32', shape: [320], data: new Uint8Array(values.buffer) } });
  const header = await readSafetensorsHeader(path);
  return findPredictionType('sd2', sizes, header.tensors, header);
}

it("SD2's published sizes are told apart by the spread of one weight, and that is said", async () => {
  expect(await spreadOf(0.1)).toMatchObject({ predictionType: 'v_prediction', from: 'tensors' });
  expect(await spreadOf(0.08)).toMatchObject({ predictionType: 'epsilon', from: 'tensors' });
  expect((await spreadOf(0.1)).note).toMatch(/judged from the spread/);
});

it('other sizes and inpaint models are not judged by it', async () => {
  expect(await spreadOf(0.1, { ...config, crossAttentionDim: 64 })).toMatchObject({
    predictionType: 'epsilon',
    from: 'family-default',
  });
  expect(await spreadOf(0.1, { ...config, inChannels: 9 })).toMatchObject({
    predictionType: 'epsilon',
    from: 'family-default',
  });
});
