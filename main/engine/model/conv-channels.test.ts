import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Attribute, Dim, Graph, GraphNode } from '../../../models/onnx/graph.ts';
import { serialise } from '../../../models/onnx/serialise.ts';
import { padConvChannels } from '../../../models/passes/conv-channels.ts';
import type { WeightRef } from '../../../models/weights/weight-map.ts';
import { buildSession } from '../runtime/session.ts';
import { SessionCache } from '../runtime/session-cache.ts';
import { float32Data, type Tensor } from '../runtime/tensor.ts';
import { temporaryFolder, webgpuHere } from '../runtime/test-support.ts';
import { networkSessions } from './network-sessions.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const webgpu = await webgpuHere();

interface ConvCase {
  in: number;
  out: number;
  kernel?: number;
  stride?: number;
  pad?: number;
  group?: number;
}

const ints = (...value: number[]): Attribute => ({ type: 'ints', value });

/** y = conv(x, w) + b with the weight inside, or as an input whose number of outputs only a run knows. */
function convGraph(one: ConvCase, options: { weight?: 'input' | WeightRef; opset?: number } = {}): Graph {
  const { kernel = 3, stride = 1, pad = 1, group = 1 } = one;
  const dims = [one.out, one.in / group, kernel, kernel];
  const { weight } = options;
  const graph: Graph = {
    name: 'conv',
    nodes: [],
    initializers: new Map(),
    inputs: [{ name: 'x', dtype: 'float', dims: ['batch', one.in, 'height', 'width'] }],
    outputs: [{ name: 'y', dtype: 'float', dims: ['batch', 'out', 'rows', 'columns'] }],
    opsets: { '': options.opset ?? 17 },
    irVersion: 8,
  };
  const half = typeof weight === 'object';
  if (weight === 'input') graph.inputs.push({ name: 'w', dtype: 'float', dims: ['rank', ...dims.slice(1)] as Dim[] });
  else {
    const data = half ? { external: weight } : { inline: new Uint8Array(noise(size(dims), 2).buffer) };
    graph.initializers.set('w', { name: 'w', dtype: half ? 'float16' : 'float', dims, data });
  }
  if (half) graph.nodes.push(node('Cast', ['w'], 'wide', { to: { type: 'int', value: 1 } }));
  const bias = { inline: new Uint8Array(noise(one.out, 3).buffer) };
  graph.initializers.set('b', { name: 'b', dtype: 'float', dims: [one.out], data: bias });
  graph.nodes.push(
    node('Conv', ['x', half ? 'wide' : 'w', 'b'], 'y', {
      kernel_shape: ints(kernel, kernel),
      strides: ints(stride, stride),
      pads: ints(pad, pad, pad, pad),
      group: { type: 'int', value: group },
    }),
  );
  return graph;
}

function node(op: string, inputs: string[], output: string, attributes: GraphNode['attributes']): GraphNode {
  return { name: `${output}/${op}`, op, domain: '', inputs, outputs: [output], attributes };
}

const size = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** The same numbers in [-1, 1] for a seed. */
function noise(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const picture = (channels: number): Tensor => ({ data: noise(2 * channels * 8 * 6, 1), shape: [2, channels, 8, 6] });

async function run(graph: Graph, provider: 'cpu' | 'webgpu', feeds: Record<string, Tensor>): Promise<Float32Array> {
  const session = await buildSession(serialise(graph), { name: 'conv', provider, checkPlacement: false });
  const { y } = await session.run(feeds);
  await session.release();
  return float32Data(y as Tensor);
}

function error(ours: Float32Array, right: Float32Array): number {
  if (ours.length !== right.length) return Number.POSITIVE_INFINITY;
  const largest = right.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return right.reduce((most, value, at) => Math.max(most, Math.abs(value - (ours[at] as number))), 0) / largest;
}

function mended(graph: Graph): Graph {
  expect(padConvChannels(graph)).toBe(true);
  return graph;
}

const wrongOnWebgpu: ConvCase[] = [
  { in: 6, out: 8 },
  { in: 9, out: 32 },
  { in: 15, out: 4 },
  { in: 9, out: 8, stride: 2 },
  { in: 9, out: 8, kernel: 5, pad: 2 },
  { in: 9, out: 8, kernel: 1, pad: 0, stride: 2 },
];
const rightOnWebgpu: ConvCase[] = [
  { in: 3, out: 8 },
  { in: 4, out: 8 },
  { in: 5, out: 8 },
  { in: 8, out: 8 },
  { in: 12, out: 8 },
  { in: 9, out: 6 },
  { in: 9, out: 8, kernel: 1, pad: 0 },
  { in: 18, out: 8, group: 2 },
];

describe('padConvChannels', () => {
  it.each(wrongOnWebgpu)('does not change what a convolution gives: %o', async (one) => {
    const feeds = { x: picture(one.in) };
    const plain = await run(convGraph(one), 'cpu', feeds);
    expect(error(await run(mended(convGraph(one)), 'cpu', feeds), plain)).toBeLessThan(1e-6);
    // Before opset 11 the amounts are an attribute.
    expect(error(await run(mended(convGraph(one, { opset: 10 })), 'cpu', feeds), plain)).toBeLessThan(1e-6);
  });

  it.each(rightOnWebgpu)('leaves alone what is right: %o', (one) => {
    const graph = convGraph(one);
    expect(padConvChannels(graph)).toBe(false);
    expect(graph).toEqual(convGraph(one));
  });

  it('pads once what several convolutions read, an adapter factor of any rank among them', async () => {
    const graph = convGraph({ in: 9, out: 4 }, { weight: 'input' });
    graph.nodes.push({ ...node('Conv', ['x', 'w'], 'z', {}) });
    graph.outputs.push({ name: 'z', dtype: 'float', dims: ['batch', 'rank', 'rows_inside', 'columns_inside'] });
    mended(graph);
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Pad', 'Pad', 'Conv', 'Conv']);
    const w: Tensor = { data: noise(4 * 81, 2), shape: [4, 9, 3, 3] };
    const plain = await run(convGraph({ in: 9, out: 4 }), 'cpu', { x: picture(9) });
    expect(error(await run(graph, 'cpu', { x: picture(9), w }), plain)).toBeLessThan(1e-6);
  });

  it('has a stored half-precision weight padded at load, once: a run pads the picture only', async () => {
    const file = join(folder.path, 'half.bin');
    const shape = [8, 9, 3, 3];
    writeFileSync(file, new Uint8Array(Float16Array.from(noise(size(shape), 2)).buffer));
    const weight: WeightRef = { file, dtype: 'F16', shape, offset: 0, length: 2 * size(shape) };
    const graph = mended(convGraph({ in: 9, out: 8 }, { weight }));
    const session = await buildSession(serialise(graph), { name: 'conv', provider: 'cpu', checkPlacement: true });
    const { y } = await session.run({ x: picture(9) });
    expect(session.placement?.nodes).toEqual({ CPUExecutionProvider: 2 });
    await session.release();
    const plain = await run(convGraph({ in: 9, out: 8 }), 'cpu', { x: picture(9) });
    expect(error(float32Data(y as Tensor), plain)).toBeLessThan(1e-3);
  });
});

describe('an imported network', () => {
  const sessionsOf = async (one: ConvCase, provider: 'cpu' | 'webgpu') => {
    const path = join(folder.path, `imported-${one.in}.onnx`);
    writeFileSync(path, serialise(convGraph(one)).bytes);
    const cache = new SessionCache({ budget: 1e6 });
    const sessions = await networkSessions(
      cache,
      { component: 'unet', provider, variant: '' },
      {
        part: { source: 'onnx', path, config: null },
        files: [path],
        bytes: 1,
        author: () => convGraph(one),
        half: false,
        mend: padConvChannels,
      },
    );
    const { y } = await sessions.use()(0, (session) => session.run({ x: picture(one.in) }));
    await cache.releaseIdle();
    return float32Data(y as Tensor);
  };

  it.each([
    { in: 9, out: 8 },
    { in: 4, out: 8 },
  ])('computes the same with and without the mend: %o', async (one) => {
    const plain = await run(convGraph(one), 'cpu', { x: picture(one.in) });
    expect(error(await sessionsOf(one, 'cpu'), plain)).toBeLessThan(1e-6);
  });

  it.skipIf(!webgpu)('is mended on webgpu', async () => {
    const one = { in: 9, out: 8 };
    const plain = await run(convGraph(one), 'cpu', { x: picture(one.in) });
    expect(error(await sessionsOf(one, 'webgpu'), plain)).toBeLessThan(1e-4);
  });
});

describe.skipIf(!webgpu)('padConvChannels on webgpu', () => {
  it.each(wrongOnWebgpu)('mends %o', async (one) => {
    const feeds = { x: picture(one.in) };
    const plain = await run(convGraph(one), 'cpu', feeds);
    // Where this no longer fails without the mend, the runtime has been mended and the pass can go.
    expect(error(await run(convGraph(one), 'webgpu', feeds), plain)).toBeGreaterThan(0.1);
    expect(error(await run(mended(convGraph(one)), 'webgpu', feeds), plain)).toBeLessThan(1e-4);
  });

  it.each(rightOnWebgpu)('need not mend %o', async (one) => {
    const feeds = { x: picture(one.in) };
    expect(error(await run(convGraph(one), 'webgpu', feeds), await run(convGraph(one), 'cpu', feeds))).toBeLessThan(
      1e-4,
    );
  });
});
