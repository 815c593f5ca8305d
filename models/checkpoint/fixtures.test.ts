import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { surveyCheckpoint } from './open.ts';

const folder = resolve(import.meta.dirname, '../../fixtures/small/models');
const isThere = existsSync(folder);

/** What each model saved by diffusers is; the parity runner proves that its weights are mapped right. */
const expected: Record<string, object> = {
  lcm: { layout: 'diffusers', family: 'sd1', variant: 'lcm', dtype: 'F16' },
  sd1: { layout: 'diffusers', family: 'sd1', variant: 'base', dtype: 'F32' },
  'sd1-inpaint': { layout: 'diffusers', family: 'sd1', variant: 'inpaint', dtype: 'F16' },
  'sd1.safetensors': { layout: 'single-file', family: 'sd1', variant: 'base', dtype: 'F16' },
  sd2v: { layout: 'diffusers', family: 'sd2', predictionType: 'v_prediction', dtype: 'BF16' },
  'sd2v.safetensors': { layout: 'single-file', family: 'sd2', hiddenStateFromEnd: 2, missing: ['VAE'] },
  sdxl: { layout: 'diffusers', family: 'sdxl', hiddenStateFromEnd: 2, zeroEmptyNegative: true },
  'sdxl-inpaint': { layout: 'diffusers', family: 'sdxl', variant: 'inpaint', zeroEmptyNegative: false },
  'sdxl.safetensors': { layout: 'single-file', family: 'sdxl', missing: ['VAE'] },
  'turbo-onnx': { layout: 'onnx', family: 'sd2', variant: 'turbo', scheduler: { spacing: 'trailing' } },
};

describe.skipIf(!isThere)(
  `the parity fixtures${isThere ? '' : ' (skipped: fixtures/small is not in this checkout)'}`,
  () => {
    for (const name of isThere ? readdirSync(folder) : []) {
      it(`${name} is what it was made as`, async () => {
        expect(expected).toHaveProperty([name]);
        expect(await surveyCheckpoint(join(folder, name))).toMatchObject({
          missing: [],
          ...expected[name],
          problems: [],
        });
      });
    }
  },
);
