import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { openCheckpoint } from '../checkpoint/open.ts';
import { readSafetensorsHeader, readTensor } from '../weights/safetensors.ts';
import type { Adapter, AdapterLayer } from './adapter.ts';
import { openAdapter } from './open-adapter.ts';

/** Adapters written by diffusers and peft, and what peft makes of the weights: see make_adapters.py there. */
const folder = resolve(import.meta.dirname, '../../fixtures/adapters');
const model = resolve(folder, '../small/models/sd1');

/** scale * up . down, summed as it stands, and what DoRA's gain changes of the base weight. */
function deltaOf({ up, down, downShape, rank, out, scale, gain }: AdapterLayer, base: Float32Array): Float64Array {
  const columns = down.length / rank;
  const taps = columns / (downShape[1] ?? 1);
  const delta = new Float64Array(out * columns);
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < columns; i++) {
      let sum = 0;
      for (let r = 0; r < rank; r++) sum += (up[o * rank + r] as number) * (down[r * columns + i] as number);
      const own = gain?.values[gain.side === 'out' ? o : Math.floor(i / taps)] ?? 0;
      delta[o * columns + i] = scale * sum + own * (base[o * columns + i] ?? 0);
    }
  }
  return delta;
}

function layerNamed(adapter: Adapter, name: string): AdapterLayer {
  const [network, path] = [name.slice(0, name.indexOf('.')), name.slice(name.indexOf('.') + 1)];
  const layers = network === 'unet' ? adapter.unet : adapter.textEncoder;
  const full = network === 'unet' || path.startsWith('text_model.') ? path : `text_model.${path}`;
  const layer = layers.find((candidate) => candidate.path === full);
  if (!layer) throw new Error(`${name} is not among the layers`);
  return layer;
}

async function baseWeight({ unet }: Checkpoint, path: string): Promise<Float32Array> {
  const ref = unet.source === 'weights' ? unet.weights.get(`${path}.weight`) : undefined;
  if (!ref) throw new Error(`${path} has no weight to read`);
  return readTensor(ref);
}

const expectedSuffix = '.expected.safetensors';
const cases = readdirSync(folder)
  .filter((file) => file.endsWith(expectedSuffix))
  .map((file) => file.slice(0, -expectedSuffix.length));

describe('deltas as peft computes them', () => {
  it('has every algorithm and key format', () => {
    expect(cases.toSorted()).toEqual(
      [
        'dora',
        'dora-per-input',
        'kohya',
        'loha',
        'lokr',
        'lokr-both',
        'lokr-peft',
        'old-diffusers',
        'peft',
        'rslora',
        'tucker-locon',
        'tucker-loha',
      ].toSorted(),
    );
  });

  it.each(cases)('%s', async (name) => {
    const file =
      name === 'lokr-peft' ? join(folder, name, 'adapter_model.safetensors') : join(folder, `${name}.safetensors`);
    const checkpoint = await openCheckpoint(model);
    const adapter = await openAdapter(file, checkpoint, { energy: 0.9999999 });
    expect(adapter.warnings).toEqual([]);
    expect(adapter.unmatched).toEqual([]);
    expect(adapter.matched.applied).toBe(adapter.matched.of);
    const { tensors } = await readSafetensorsHeader(join(folder, `${name}${expectedSuffix}`));
    expect(tensors.size).toBeGreaterThan(0);
    for (const [module, ref] of tensors) {
      const layer = layerNamed(adapter, module);
      const expected = await readTensor(ref);
      const delta = deltaOf(layer, layer.gain ? await baseWeight(checkpoint, layer.path) : new Float32Array());
      // DoRA costs no rank beyond the adapter's own.
      if (name.startsWith('dora')) expect([layer.rank, layer.origin.kind], module).toEqual([2, 'exact']);
      expect([layer.out, ...layer.downShape.slice(1)], module).toEqual([...ref.shape]);
      const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      const worst = expected.reduce((most, x, i) => Math.max(most, Math.abs(x - (delta[i] as number))), 0);
      expect(largest).toBeGreaterThan(0);
      // An SVD that leaves out 1e-7 of the energy may be off by its root.
      expect(worst / largest, module).toBeLessThan(layer.origin.kind === 'exact' ? 1e-5 : 1e-3);
    }
  });
});
