import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../models/checkpoint/open.ts';
import { authorUNet } from '../../../models/networks/unet.ts';
import type { Graph } from '../../../models/onnx/graph.ts';
import { parseModel, serialise } from '../../../models/onnx/serialise.ts';
import { unetGate } from '../../../models/passes/adaptable-modules.ts';
import { addAttentionBias } from '../../../models/passes/attention-bias.ts';
import { addAttentionMaps } from '../../../models/passes/attention-maps.ts';
import { addCrossSegments } from '../../../models/passes/cross-segments.ts';
import { addInjections, addTaps } from '../../../models/passes/injections.ts';
import { pruneTo } from '../../../models/passes/prune.ts';
import { buildSession, type ModelSession } from '../runtime/session.ts';
import type { Tensor } from '../runtime/tensor.ts';
import { plainVariant, unetPass } from './graph-variants.ts';

/** Maps, taps, injections and segments in each form that a graph may have attention in. */

const fixtures = resolve(import.meta.dirname, '../../../fixtures');
const { unet } = await openCheckpoint(join(fixtures, 'small/models/sd1'));
if (unet.source !== 'weights') throw new Error('the fixture sd1 holds weights');
const exported = join(fixtures, 'adapters/models/sd1-onnx/unet/model.onnx');
const levelOf = unetGate(unet.config);
const [height, width, tokens] = [8, 8, 77];
const values = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, at) => Math.sin(seed * 3.7 + at * 1.3));

const opened: ModelSession[] = [];
afterAll(() => Promise.all(opened.map((session) => session.release())));

const forms = {
  fused: async () => authorUNet(unet.config, unet.weights, { attention: 'fused', compute: 'float' }),
  plain: async () => authorUNet(unet.config, unet.weights, { attention: 'plain', compute: 'float' }),
  exported: async () => parseModel(await readFile(exported), exported),
} as const;
const names = Object.keys(forms) as (keyof typeof forms)[];

async function run(graph: Graph, rows: number, extra: Record<string, Tensor> = {}, context = tokens) {
  const session = await buildSession(serialise(graph), { name: 'unet', provider: 'cpu' });
  opened.push(session);
  const scalar = session.inputs.find(({ name }) => name === 'timestep')?.shape.length === 0;
  return session.run({
    sample: { data: values(rows * 4 * height * width, 1), shape: [rows, 4, height, width] },
    timestep: { data: new Float32Array(scalar ? 1 : rows).fill(500), shape: scalar ? [] : [rows] },
    encoder_hidden_states: { data: values(rows * context * 16, 2), shape: [rows, context, 16] },
    ...extra,
  });
}

const data = (tensor: Tensor | undefined) => tensor?.data as Float32Array;
const difference = (a: Float32Array, b: Float32Array) =>
  Math.max(...a.map((value, at) => Math.abs(value - (b[at] as number))));

function expectClose(actual: Float32Array, expected: Float32Array, within = 5e-5): void {
  expect(actual.length).toBe(expected.length);
  expect(difference(actual, expected)).toBeLessThan(within);
}

describe('attention maps', () => {
  it.each(['cross', 'self'] as const)(
    'of %s-attention are the same in fused, plain and exported graphs',
    async (place) => {
      const maps: Float32Array[] = [];
      for (const form of names) {
        const graph = await forms[form]();
        const { output, layers } = addAttentionMaps(graph, { place, levelOf, level: 'level1' });
        // Two layers down, three up.
        expect(layers).toHaveLength(5);
        const outputs = await run(graph, 2);
        const places = (height * width) / 4;
        expect(outputs[output]?.shape).toEqual([2, places, place === 'cross' ? tokens : places]);
        maps.push(data(outputs[output]));
      }
      const [fused, plain, other] = maps as [Float32Array, Float32Array, Float32Array];
      expectClose(plain, fused);
      expectClose(other, fused);
      const keys = fused.length / (2 * 16);
      expect(fused.subarray(0, keys).reduce((sum, value) => sum + value)).toBeCloseTo(1, 5);
    },
  );

  it('leave the prediction as it was, and see an attention bias', async () => {
    const plain = data((await run(await forms.fused(), 1)).out_sample);
    const graph = await forms.fused();
    addAttentionMaps(graph, { place: 'cross', levelOf, level: 'level1' });
    expect([...data((await run(graph, 1)).out_sample)]).toEqual([...plain]);

    const biased = await forms.fused();
    const bias = addAttentionBias(biased, { place: 'cross', levelOf });
    const { output } = addAttentionMaps(biased, { place: 'cross', levelOf, level: 'level1' });
    const feeds = Object.fromEntries(
      [...bias].map(([level, name]) => {
        const places = (height * width) / 4 ** Number(level.slice(5));
        const logits = new Float32Array(places * tokens).fill(-1e4);
        for (let place = 0; place < places; place++) logits[place * tokens + 3] = 0;
        return [name, { data: logits, shape: [1, 1, places, tokens] }];
      }),
    );
    const maps = data((await run(biased, 1, feeds))[output]);
    expect(maps[3]).toBeCloseTo(1, 5);
    expect(maps[4]).toBeCloseTo(0, 5);
  });

  it('alone: a pruned graph gives the same maps by fewer nodes', async () => {
    for (const form of names) {
      const graph = await forms[form]();
      const { output } = addAttentionMaps(graph, { place: 'cross', levelOf, level: 'level1' });
      const whole = data((await run(graph, 1))[output]);
      const before = graph.nodes.length;
      pruneTo(graph, [output]);
      expect(graph.nodes.length).toBeLessThan(before * 0.9);
      expectClose(data((await run(graph, 1))[output]), whole, 1e-6);
    }
  });

  it('are refused where no attention works at that level', async () => {
    const graph = await forms.fused();
    expect(() => addAttentionMaps(graph, { place: 'cross', levelOf, level: 'level7' })).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_ARCHITECTURE' }),
    );
  });
});

const sites = [
  { path: 'up_blocks.1.resnets.1.conv2', weight: 'features' },
  { path: 'up_blocks.1.attentions.1.transformer_blocks.0.attn1.to_q', weight: 'attention' },
  { path: 'up_blocks.1.attentions.1.transformer_blocks.0.attn1.to_k', weight: 'attention' },
];

describe('taps and injections', () => {
  it('name the same values in every form', async () => {
    const taps: Record<string, Tensor>[] = [];
    for (const form of names) {
      const graph = await forms[form]();
      addTaps(
        graph,
        sites.map(({ path }) => path),
      );
      taps.push(await run(graph, 2));
    }
    for (const { path } of sites) {
      const [fused, plain, other] = taps.map((outputs) => data(outputs[`tap/${path}`])) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      expectClose(plain, fused);
      expectClose(other, fused);
    }
    expect(taps[0]?.['tap/up_blocks.1.resnets.1.conv2']?.shape).toEqual([2, 8, 4, 4]);
  });

  it.each(names)('overwrite rows by the first row, wholly at weight 1 and not at all at 0 (%s)', async (form) => {
    const graph = await forms[form]();
    const inputs = addInjections(graph, { sites, from: 'first-row' });
    addTaps(
      graph,
      sites.map(({ path }) => path),
    );
    expect([...inputs.keys()].toSorted()).toEqual(['attention', 'features']);
    const weights = (second: number) => ({
      'injection/features': { data: Float32Array.of(0, second), shape: [2, 1, 1, 1] },
      'injection/attention': { data: Float32Array.of(0, second), shape: [2, 1, 1] },
    });
    const plain = data((await run(await forms[form](), 2)).out_sample);
    expectClose(data((await run(graph, 2, weights(0))).out_sample), plain, 1e-6);
    const injected = await run(graph, 2, weights(1));
    for (const { path } of sites) {
      const tap = data(injected[`tap/${path}`]);
      const half = tap.length / 2;
      expect([...tap.subarray(half)]).toEqual([...tap.subarray(0, half)]);
    }
    const out = data(injected.out_sample);
    expectClose(out.subarray(0, out.length / 2), plain.subarray(0, out.length / 2), 1e-6);
    expect(difference(out.subarray(out.length / 2), plain.subarray(out.length / 2))).toBeGreaterThan(1e-3);
  });

  it('take what is injected as an input, which another call gave', async () => {
    const tapped = await forms.fused();
    addTaps(
      tapped,
      sites.map(({ path }) => path),
    );
    const given = await run(tapped, 1);
    const graph = await forms.fused();
    addInjections(graph, { sites, from: 'input' });
    const feeds = Object.fromEntries(sites.map(({ path }) => [`injected/${path}`, given[`tap/${path}`] as Tensor]));
    const one = { data: Float32Array.of(1), shape: [1, 1, 1] };
    const outputs = await run(graph, 1, {
      ...feeds,
      'injection/attention': one,
      'injection/features': { ...one, shape: [1, 1, 1, 1] },
    });
    expectClose(data(outputs.out_sample), data(given.out_sample), 1e-6);
  });

  it('refuse a layer that the model lacks', async () => {
    const graph = await forms.fused();
    const missing = { path: 'up_blocks.3.resnets.1.conv2', weight: 'features' };
    expect(() => addInjections(graph, { sites: [missing], from: 'first-row' })).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_ARCHITECTURE' }),
    );
    expect(() => addTaps(graph, [missing.path])).toThrow(expect.objectContaining({ code: 'UNKNOWN_ARCHITECTURE' }));
  });
});

it('a style names the layer that a model lacks', async () => {
  const { unet: shallow } = await openCheckpoint(join(fixtures, 'small/models/sdxl-inpaint'));
  if (shallow.source !== 'weights') throw new Error('the fixture holds weights');
  const graph = authorUNet(shallow.config, shallow.weights, { attention: 'fused', compute: 'float' });
  const pass = unetPass({ ...plainVariant, injections: true }, shallow.config);
  expect(() => pass.inputs(graph)).toThrow(
    expect.objectContaining({ code: 'UNKNOWN_ARCHITECTURE', message: expect.stringContaining('up_blocks.1.') }),
  );
});

/** Weights of two segments at each level: the first where `first` says so. */
function segmentWeights(levels: Iterable<[string, string]>, first: (at: number, places: number) => number) {
  return Object.fromEntries(
    [...levels].map(([level, name]) => {
      const places = (height * width) / 4 ** Number(level.slice(5));
      const share = Float32Array.from({ length: places }, (_, at) => first(at, places));
      return [name, { data: Float32Array.of(...share, ...share.map((value) => 1 - value)), shape: [1, 2, places, 1] }];
    }),
  );
}

describe('segments of cross-attention', () => {
  it.each(names)('read one prompt alone where its weight is 1 (%s)', async (form) => {
    const graph = await forms[form]();
    const { weights } = addCrossSegments(graph, levelOf);
    const both = await run(
      graph,
      1,
      segmentWeights(weights, () => 1),
      2 * tokens,
    );
    // The first segment's tokens are those of a prompt that is half as long.
    const alone = await run(await forms[form](), 1);
    expectClose(data(both.out_sample), data(alone.out_sample), 1e-5);
  });

  it('mix alike in every form, with a map for each', async () => {
    const mixed: Float32Array[] = [];
    const maps: Float32Array[] = [];
    for (const form of names) {
      const graph = await forms[form]();
      const { weights, mixing } = addCrossSegments(graph, levelOf);
      const { output } = addAttentionMaps(graph, { place: 'cross', levelOf, level: 'level1' });
      expect(mixing).toBe(form === 'exported' ? 'weights' : 'output');
      const half = segmentWeights(weights, (at, places) => (at < places / 2 ? 1 : 0.25));
      const outputs = await run(graph, 2, half, 2 * tokens);
      mixed.push(data(outputs.out_sample));
      const apart = mixing === 'output';
      expect(outputs[output]?.shape).toEqual(apart ? [4, 16, tokens] : [2, 16, 2 * tokens]);
      // The second row's second segment at its third place.
      const at = apart ? (3 * 16 + 2) * tokens : (16 + 2) * 2 * tokens + tokens;
      maps.push(data(outputs[output]).slice(at, at + tokens));
    }
    for (const [fused, plain, other] of [mixed, maps] as [Float32Array, Float32Array, Float32Array][]) {
      expectClose(plain, fused);
      expectClose(other, fused);
    }
  });
});
