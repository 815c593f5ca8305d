import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../../models/checkpoint/checkpoint.ts';
import { openCheckpoint } from '../../../models/checkpoint/open.ts';
import { authorUNet } from '../../../models/networks/unet.ts';
import type { Graph } from '../../../models/onnx/graph.ts';
import { parseModel, serialise } from '../../../models/onnx/serialise.ts';
import { weightShapes } from '../../../models/passes/adaptable-modules.ts';
import { padConvChannels } from '../../../models/passes/conv-channels.ts';
import { halveProducts } from '../../../models/passes/half-products.ts';
import type { WeightMap } from '../../../models/weights/weight-map.ts';
import { plainVariant, type UNetVariant, unetPass } from '../adapters/graph-variants.ts';
import { buildSession } from '../runtime/session.ts';
import { SessionCache } from '../runtime/session-cache.ts';
import { float32Data, type Tensor } from '../runtime/tensor.ts';
import { type GraphMend, networkSessions } from './network-sessions.ts';

const fixtures = resolve(import.meta.dirname, '../../../fixtures');
const small = (name: string): string => join(fixtures, 'small/models', name);

async function unetOf(path: string): Promise<{ graph: () => Promise<Graph>; config: Checkpoint['unet']['config'] }> {
  const { unet: part } = await openCheckpoint(path);
  const graph = async () =>
    part.source === 'onnx'
      ? parseModel(await readFile(part.path), part.path)
      : authorUNet(part.config, part.weights, { attention: 'fused', compute: 'float' });
  return { graph, config: part.config };
}

/** The same numbers in [-1.5, 1.5] each time. */
function noise(length: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 1.5 * (state / 2 ** 31 - 1);
  });
}

async function predict(graph: Graph, config: Checkpoint['unet']['config']): Promise<Float32Array> {
  const session = await buildSession(serialise(graph), { name: 'unet', provider: 'cpu' });
  const [channels, width] = [config.inChannels, config.crossAttentionDim];
  const vector = session.inputs.find(({ name }) => name === 'timestep')?.shape.length !== 0;
  const { out_sample, ...others } = await session.run({
    sample: { data: noise(channels * 64), shape: [1, channels, 8, 8] },
    timestep: { data: Float32Array.of(500), shape: vector ? [1] : [] },
    encoder_hidden_states: { data: noise(77 * width), shape: [1, 77, width] },
  });
  await session.release();
  return float32Data(out_sample ?? (Object.values(others)[0] as Tensor));
}

function error(ours: Float32Array, right: Float32Array): number {
  const largest = right.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return right.reduce((most, value, at) => Math.max(most, Math.abs(value - (ours[at] as number))), 0) / largest;
}

/** Convolutions and Linears with weights of their own, by the type that they compute in. */
function productTypes(graph: Graph): Record<string, number> {
  const weights = weightShapes(graph);
  const count: Record<string, number> = {};
  for (const { op, inputs } of graph.nodes) {
    const dtype = weights.get(inputs[1] ?? '')?.dtype;
    if (!['Conv', 'Gemm', 'MatMul'].includes(op) || !dtype?.startsWith('float')) continue;
    count[dtype] = (count[dtype] ?? 0) + 1;
  }
  return count;
}

describe('halveProducts', () => {
  it.each([
    ['of an fp32 folder', small('sd1')],
    ['of an fp16 folder with nine channels', small('sd1-inpaint')],
    ['of an ONNX folder', join(fixtures, 'adapters/models/sd1-onnx')],
  ])('gives the prediction of fp32 but for rounding: a UNet %s', async (_, path) => {
    const { graph, config } = await unetOf(path);
    const plain = await graph();
    const halved = await graph();
    expect(halveProducts(halved)).toBe(true);
    padConvChannels(halved);
    const { float: all = 0 } = productTypes(plain);
    expect(all).toBeGreaterThan(50);
    // conv_in of nine channels reads its weight padded.
    expect(productTypes(halved)).toEqual({ float16: config.inChannels === 9 ? all - 1 : all });
    const [ours, right] = [await predict(halved, config), await predict(plain, config)];
    expect(error(ours, right)).toBeLessThan(5e-3);
  });

  it('takes weights stored in fp16 as they lie in the file', async () => {
    const { graph } = await unetOf(small('sd1-inpaint'));
    const halved = await graph();
    halveProducts(halved);
    const stored = halved.initializers;
    const cast = halved.nodes.filter(
      ({ op, inputs }) => op === 'Cast' && stored.get(inputs[0] ?? '')?.dims.length === 4,
    );
    expect(cast.map(({ name }) => name)).toEqual([]);
    const conv = halved.nodes.find(({ name, op }) => op === 'Conv' && name === 'conv_out');
    expect(stored.get(conv?.inputs[1] ?? '')?.dtype).toBe('float16');
  });

  it('changes a graph once', async () => {
    const { graph } = await unetOf(small('sd1'));
    const halved = await graph();
    halveProducts(halved);
    const nodes = halved.nodes.length;
    expect(halveProducts(halved)).toBe(false);
    expect(halved.nodes).toHaveLength(nodes);
  });

  it('leaves a network in fp32 where one of its passes asks for it', async () => {
    const { unet: part } = await openCheckpoint(small('sd1'));
    const cache = new SessionCache({ budget: 1e9 });
    const author = (config: Checkpoint['unet']['config'], weights: WeightMap) =>
      authorUNet(config, weights, { attention: 'fused', compute: 'float' });
    const types: Record<string, number>[] = [];
    const look: GraphMend = (graph) => {
      types.push(productTypes(graph));
      return false;
    };
    const sessions = await networkSessions(
      cache,
      { component: 'unet', provider: 'cpu', variant: '' },
      { part, files: [small('sd1.safetensors')], bytes: 1, author, half: true, mend: look },
    );
    for (const passes of [[], [{ key: 'gradient', fp32: true, apply: () => {} } as const]]) {
      await sessions.use(passes)(0, async () => {});
    }
    await cache.releaseIdle();
    expect(types.map((count) => Object.keys(count))).toEqual([['float16'], ['float']]);
  });

  it.each<[string, Partial<UNetVariant>]>([
    ['adapters on every module', { reach: 'all', gains: ['out', 'in'] }],
    ['biases on attention', { cross: true, selfRuns: 1 }],
    ['a prompt for each region, and maps', { segments: true, maps: { level: 1, alone: false } }],
    ['injections', { injections: true }],
  ])('goes with %s: inputs stay in fp32', async (_, change) => {
    const { graph, config } = await unetOf(small('sd1'));
    const halved = await graph();
    unetPass({ ...plainVariant, ...change }, config).pass.apply(halved);
    halveProducts(halved);
    const session = await buildSession(serialise(halved), { name: 'unet', provider: 'cpu' });
    expect(session.inputs.filter(({ type }) => type === 'float16')).toEqual([]);
    await session.release();
  });
});
