import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSafetensorsHeader, readTensor } from '../../weights/safetensors.ts';
import { jacobiSvd } from '../linear-algebra/jacobi-svd.ts';
import { filled, loraLayer, openTiny, scalar, temporaryFolder, writeAdapter } from '../test-support.ts';
import { compareLayers } from './compare.ts';
import { calm, findIntruders } from './intruders.ts';
import { mergeLayers } from './merge.ts';
import { layerSpectrum } from './spectrum.ts';
import { layerKey, readToolAdapter, type ToolLayer } from './tool-layer.ts';
import { truncate } from './truncate.ts';
import { operationKey, writeToolAdapter } from './write-tool-adapter.ts';

const fixtures = resolve(import.meta.dirname, '../../../fixtures/adapters');

function deltaOf({ up, down, rank, out, scale }: ToolLayer): Float64Array {
  const columns = down.length / rank;
  const delta = new Float64Array(out * columns);
  for (let o = 0; o < out; o++) {
    for (let r = 0; r < rank; r++) {
      for (let i = 0; i < columns; i++) {
        const at = o * columns + i;
        delta[at] = (delta[at] as number) + scale * (up[o * rank + r] as number) * (down[r * columns + i] as number);
      }
    }
  }
  return delta;
}

/** A layer of the given factors. */
function layer(out: number, input: number, rank: number, seed = 1, scale = 0.5): ToolLayer {
  return {
    network: 'unet',
    module: 'mid_block.attentions.0.proj_in',
    dotted: true,
    out,
    rank,
    up: Float32Array.from(filled([out, rank], seed).values),
    down: Float32Array.from(filled([rank, input], seed + 1).values),
    downShape: [rank, input],
    scale,
  };
}

/** Deltas of two lists by layer, the largest difference over the largest value. */
function worst(found: readonly ToolLayer[], expected: readonly ToolLayer[]): number {
  const others = new Map(found.map((one) => [layerKey(one), deltaOf(one)]));
  expect(new Set(others.keys())).toEqual(new Set(expected.map(layerKey)));
  let [off, largest] = [0, 0];
  for (const one of expected) {
    const delta = others.get(layerKey(one)) as Float64Array;
    for (const [i, value] of deltaOf(one).entries()) {
      off = Math.max(off, Math.abs(value - (delta[i] as number)));
      largest = Math.max(largest, Math.abs(value));
    }
  }
  return off / largest;
}

const energy = (delta: Float64Array) => delta.reduce((sum, x) => sum + x * x, 0);

describe('the spectrum of a delta', () => {
  it('has the values, energy and effective rank that it was made with', () => {
    // Orthogonal factors with values 8, 4, 1 times alpha / rank = 1/2.
    const made: ToolLayer = {
      ...layer(5, 4, 3),
      up: Float32Array.of(8, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0),
      down: Float32Array.of(0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1),
    };
    const { values, energy, effectiveRank, rankAt } = layerSpectrum(made);
    for (const [i, value] of [4, 2, 0.5].entries()) expect(values[i]).toBeCloseTo(value, 12);
    expect(energy).toBeCloseTo(20.25, 12);
    const entropy = -[4, 2, 0.5].reduce((sum, x) => sum + (x / 6.5) * Math.log(x / 6.5), 0);
    expect(effectiveRank).toBeCloseTo(Math.exp(entropy), 12);
    // 16 / 20.25 = 0.790, 20 / 20.25 = 0.988
    expect(rankAt).toEqual({ 90: 2, 95: 2, 99: 3 });
  });

  it.each([
    ['tall', 40, 6, 4],
    ['wide', 6, 40, 4],
    ['with more ranks than the module has', 5, 7, 12],
  ])('%s: its energy is the squared norm of the dense delta', (_, out, input, rank) => {
    const one = layer(out, input, rank);
    expect(layerSpectrum(one).energy / energy(deltaOf(one))).toBeCloseTo(1, 12);
  });

  it('keeps small values to their own accuracy, which a Gram matrix would lose', () => {
    const turned = Float64Array.of(0.6, 0.8e-9, -0.8, 0.6e-9);
    const { values } = jacobiSvd(turned, 2, 2);
    expect(values[0]).toBeCloseTo(1, 12);
    expect((values[1] as number) / 1e-9).toBeCloseTo(1, 6);
  });

  it('of zeros has neither energy nor rank', () => {
    const none = { ...layer(4, 4, 2), up: new Float32Array(8) };
    expect(layerSpectrum(none)).toMatchObject({ energy: 0, effectiveRank: 0, rankAt: { 90: 0 } });
    expect(deltaOf(truncate([none], { rank: 1 }).layers[0] as ToolLayer).every((x) => x === 0)).toBe(true);
  });
});

describe('cutting ranks', () => {
  it('loses exactly the energy it says, and what no rank holds less of', () => {
    const one = layer(12, 9, 5);
    const { layers, kept } = truncate([one], { rank: 2 });
    const [cut] = layers as [ToolLayer];
    expect([cut.rank, cut.downShape]).toEqual([2, [2, 9]]);
    const whole = deltaOf(one);
    const lost = energy(deltaOf(cut).map((x, i) => x - (whole[i] as number)));
    expect(lost / energy(whole)).toBeCloseTo(1 - kept, 6);
    const { values } = layerSpectrum(one);
    expect(lost).toBeCloseTo(
      values.slice(2).reduce((sum, x) => sum + x * x, 0),
      5,
    );
  });

  it('to an energy takes the smallest rank that holds it', () => {
    const one = layer(12, 9, 5);
    const { layers, kept } = truncate([one], { energy: 0.9 });
    expect(kept).toBeGreaterThanOrEqual(0.9);
    const { rank } = layers[0] as ToolLayer;
    expect(rank).toBe(layerSpectrum(one).rankAt[90]);
    expect(truncate([one], { rank: rank - 1 }).kept).toBeLessThan(0.9);
  });
});

describe('merging', () => {
  it('is the weighted sum of the deltas', () => {
    const [one, two] = [layer(6, 5, 2, 1), layer(6, 5, 3, 7, 2)];
    const [merged] = mergeLayers([
      { layers: [one], weight: 0.7 },
      { layers: [two], weight: -1.5 },
    ]) as [ToolLayer];
    expect(merged.rank).toBe(5);
    const [a, b] = [deltaOf(one), deltaOf(two)];
    for (const [i, value] of deltaOf(merged).entries()) {
      expect(value).toBeCloseTo(0.7 * (a[i] as number) - 1.5 * (b[i] as number), 5);
    }
  });

  it('refuses layers of different sizes', () => {
    const parts = [layer(6, 5, 2), layer(6, 4, 2)].map((one) => ({ layers: [one], weight: 1 }));
    expect(() => mergeLayers(parts)).toThrow(expect.objectContaining({ code: 'ADAPTER_WRONG_BASE' }));
  });
});

describe('comparing', () => {
  it('finds a delta along itself, and none of it where they write to other outputs', () => {
    const one = layer(6, 5, 2);
    const opposite = { ...one, scale: -3 };
    const [same] = compareLayers([one], [opposite]).layers;
    expect(same?.cosine).toBeCloseTo(-1, 6);
    expect(same?.outputAngle).toBeLessThan(1e-3);
    const first = { ...one, up: one.up.map((x, i) => (i < 6 ? x : 0)) };
    const second = { ...one, up: one.up.map((x, i) => (i < 6 ? 0 : x)) };
    const { layers, cosine } = compareLayers([first], [second]);
    expect([cosine, layers[0]?.cosine]).toEqual([0, 0]);
    expect(layers[0]?.outputAngle).toBeCloseTo(90, 9);
    expect(layers[0]?.inputAngle).toBeLessThan(1e-3);
  });

  it('has the cosine of the dense deltas', () => {
    const [one, two] = [layer(6, 5, 2, 1), layer(6, 5, 3, 9)];
    const [a, b] = [deltaOf(one), deltaOf(two)];
    const dot = a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
    expect(compareLayers([one], [two]).cosine).toBeCloseTo(dot / Math.sqrt(energy(a) * energy(b)), 9);
  });
});

describe('intruder dimensions', () => {
  // W = diag(5, 4, 3, 2): its left singular vectors are the axes.
  const base = Float32Array.of(5, 0, 0, 0, 0, 4, 0, 0, 0, 0, 3, 0, 0, 0, 0, 2);
  const direction = Float32Array.of(0.5, -0.5, 0.5, 0.5);
  const along = (value: number, up: Float32Array): ToolLayer => ({
    ...layer(4, 4, 1, 1, value),
    up,
    down: Float32Array.of(0.5, 0.5, -0.5, 0.5),
  });

  it('are new directions, not stronger old ones', () => {
    const axis = { ...along(9, Float32Array.of(1, 0, 0, 0)), down: Float32Array.of(1, 0, 0, 0) };
    expect(findIntruders(axis, base, { below: 0.9 })).toEqual([]);
    const found = findIntruders(along(100, direction), base, { below: 0.6 });
    expect(found.map(({ place }) => place)).toContain(0);
    const [first] = found;
    expect(first?.cosine).toBeGreaterThan(0.45);
    expect(first?.cosine).toBeLessThan(0.55);
    expect(findIntruders(along(100, direction), base, { below: 0.4 })).toEqual([]);
  });

  it.each([
    ['square', 4],
    ['tall', 6],
    ['wide', 3],
  ])('%s: calming scales them alone', (_, out) => {
    const weight = Float32Array.from(filled([out, 4], 3).values);
    const one = layer(out, 4, 2, 5, 6);
    const intruders = findIntruders(one, weight, { below: 0.999, top: 2 });
    expect(intruders.length).toBeGreaterThan(0);
    const calmed = calm(one, intruders, 0.75);
    const dense = (delta: Float64Array) => delta.map((x, i) => x + (weight[i] as number));
    const [before, after] = [dense(deltaOf(one)), dense(deltaOf(calmed))];
    for (const { left, right, value } of intruders) {
      const applied = (m: Float64Array) =>
        left.reduce((sum, l, o) => sum + l * right.reduce((row, r, i) => row + r * (m[o * 4 + i] as number), 0), 0);
      expect(applied(before) / value).toBeCloseTo(1, 5);
      expect(applied(after) / value).toBeCloseTo(0.75, 5);
    }
    const lost = energy(before) - energy(after);
    const own = intruders.reduce((sum, { value }) => sum + value * value, 0);
    expect(lost / ((1 - 0.75 ** 2) * own)).toBeCloseTo(1, 4);
  });
});

describe('files', () => {
  const rewrite = async (layers: readonly ToolLayer[], style: 'kohya' | 'peft', header = {}) => {
    const path = join(await temporaryFolder(), 'out.safetensors');
    await writeToolAdapter(path, layers, false, { style, header, operation: 'cut' });
    return path;
  };

  it.each(['kohya', 'peft', 'rslora', 'tucker-locon', 'loha', 'lokr', 'old-diffusers'])(
    '%s written in either style has its deltas',
    async (name) => {
      const checkpoint = await openTiny();
      const before = await readToolAdapter(join(fixtures, `${name}.safetensors`), checkpoint);
      for (const style of ['kohya', 'peft'] as const) {
        const after = await readToolAdapter(await rewrite(before.layers, style), checkpoint);
        expect(after.facts.keyStyle).toBe(style);
        expect(after.warnings).toEqual([]);
        expect(worst(after.layers, before.layers), style).toBeLessThan(1e-6);
      }
    },
  );

  it('cut to an energy, so that ranks differ, keep their scale in either style', async () => {
    const checkpoint = await openTiny();
    const { layers } = await readToolAdapter(join(fixtures, 'kohya.safetensors'), checkpoint);
    const cut = truncate(layers, { energy: 0.8 }).layers;
    expect(new Set(cut.map(({ rank }) => rank)).size).toBeGreaterThan(1);
    for (const style of ['kohya', 'peft'] as const) {
      const path = await rewrite(cut, style);
      expect(worst((await readToolAdapter(path, null)).layers, cut), style).toBeLessThan(1e-6);
    }
  });

  it('are read without a checkpoint as with one', async () => {
    const path = join(fixtures, 'kohya.safetensors');
    const [alone, placed] = [await readToolAdapter(path, null), await readToolAdapter(path, await openTiny())];
    expect(worst(alone.layers, placed.layers)).toBe(0);
  });

  it("want a checkpoint for PEFT's keys where kohya's do not tell the dots, and for other algorithms", async () => {
    const { layers } = await readToolAdapter(join(fixtures, 'kohya.safetensors'), null);
    await expect(rewrite(layers, 'peft')).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(readToolAdapter(join(fixtures, 'loha.safetensors'), null)).rejects.toMatchObject({
      code: 'ADAPTER_INVALID',
      remedy: expect.stringContaining('--model'),
    });
    await expect(readToolAdapter(join(fixtures, 'dora.safetensors'), null)).rejects.toMatchObject({
      code: 'ADAPTER_INVALID',
    });
  });

  it('carry the metadata over, less what is no longer true', async () => {
    const stem = 'lora_unet_mid_block_attentions_0_proj_in';
    const written = {
      ss_base_model_version: 'sd_v1',
      ss_network_dim: '2',
      sshs_model_hash: 'abc',
      'impasto.operations': 'merged',
    };
    const path = await writeAdapter({ ...loraLayer(stem, 8, 8), [`${stem}.alpha`]: scalar(1) }, written);
    const { layers, header } = await readToolAdapter(path, null);
    const { metadata, tensors } = await readSafetensorsHeader(
      await rewrite(truncate(layers, { rank: 1 }).layers, 'kohya', header),
    );
    expect(metadata).toEqual({
      format: 'pt',
      ss_base_model_version: 'sd_v1',
      ss_network_dim: '1',
      [operationKey]: 'merged\ncut',
    });
    const alpha = tensors.get(`${stem}.alpha`);
    expect(alpha && [...(await readTensor(alpha))]).toEqual([1]);
  });
});
