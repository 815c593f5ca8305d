import { afterAll, describe, expect, it } from 'vitest';
import type { FactorValues } from '../../../models/adapters/adapter.ts';
import type { Graph, Initializer } from '../../../models/onnx/graph.ts';
import { serialise } from '../../../models/onnx/serialise.ts';
import { findAdaptable } from '../../../models/passes/adaptable-modules.ts';
import { addSideBranches, type SideBranchOptions } from '../../../models/passes/side-branch.ts';
import { buildSession, type ModelSession } from '../runtime/session.ts';
import type { Tensor } from '../runtime/tensor.ts';

/** The side branch on one Linear or convolution, in each form that a graph may have it. */

const [width, out, rank] = [5, 4, 3];
const values = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, index) => Math.sin(seed * 12.9898 + index * 78.233));

const opened: ModelSession[] = [];
afterAll(() => Promise.all(opened.map((session) => session.release())));

function graphOf(node: Graph['nodes'][number], weight: Initializer, x: Graph['inputs'][number], opset = 17): Graph {
  return {
    name: 'one module',
    nodes: [node],
    initializers: new Map([[weight.name, weight]]),
    inputs: [x],
    outputs: [{ name: 'y', dtype: 'float', dims: ['a', 'b', 'c'].slice(0, x.dims.length) }],
    opsets: { '': opset },
    irVersion: 8,
  };
}

const initializer = (data: Float32Array, dims: number[]): Initializer => ({
  name: 'w',
  dtype: 'float',
  dims,
  data: { inline: new Uint8Array(data.buffer) },
});

async function open(graph: Graph): Promise<ModelSession> {
  const session = await buildSession(serialise(graph), { name: 'unet', provider: 'cpu' });
  opened.push(session);
  return session;
}

/** [rows, k] x [n, k]^T. */
function times(a: Float32Array, b: Float32Array, k: number): Float32Array {
  const [rows, n] = [a.length / k, b.length / k];
  const y = new Float32Array(rows * n);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < n; column++) {
      let sum = 0;
      for (let at = 0; at < k; at++) sum += (a[row * k + at] as number) * (b[column * k + at] as number);
      y[row * n + column] = sum;
    }
  }
  return y;
}

function transposed(a: Float32Array, columns: number): Float32Array {
  const rows = a.length / columns;
  return Float32Array.from({ length: a.length }, (_, at) => a[(at % rows) * columns + Math.floor(at / rows)] as number);
}

function expectClose(actual: Tensor | undefined, expected: Float32Array): void {
  expect(actual?.data.length).toBe(expected.length);
  const worst = Math.max(...expected.map((value, at) => Math.abs(value - Number(actual?.data[at]))));
  expect(worst).toBeLessThan(1e-5);
}

const w = values(out * width, 1);
const a = values(rank * width, 2);
const b = values(rank * out, 3);

/** y for x [rows * positions, in] under a gate [rows, positions, rank]. */
function expected(x: Float32Array, gate: Float32Array, factors = { a, b }): Float32Array {
  const down = times(x, factors.a, width).map((value, at) => value * (gate[at] as number));
  const plain = times(x, w, width);
  const delta = times(down, transposed(factors.b, out), rank);
  return plain.map((value, at) => value + (delta[at] as number));
}

const forms = [
  {
    name: 'a Gemm over rows, as authored',
    node: {
      name: 'mid.to_q',
      op: 'Gemm',
      domain: '',
      inputs: ['x', 'w'],
      outputs: ['y'],
      attributes: { transB: { type: 'int', value: 1 } },
    },
    weight: initializer(w, [out, width]),
    dims: ['n', width],
    opset: 17,
  },
  {
    name: "a MatMul on three dimensions, as torch's exporter writes it",
    node: { name: '/mid/to_q/MatMul', op: 'MatMul', domain: '', inputs: ['x', 'w'], outputs: ['y'], attributes: {} },
    weight: initializer(transposed(w, width), [width, out]),
    dims: ['batch', 'n', width],
    opset: 14,
  },
] as const;

describe.each(forms)('the side branch on $name', ({ node, weight, dims, opset }) => {
  const build = async (options: Partial<SideBranchOptions> = {}) => {
    const graph = graphOf(
      structuredClone(node) as unknown as Graph['nodes'][number],
      weight,
      { name: 'x', dtype: 'float', dims },
      opset,
    );
    graph.inputs.push({ name: 'sample', dtype: 'float', dims: ['batch', 1] });
    const modules = findAdaptable(graph, () => 'level0');
    expect([...modules.keys()]).toEqual(['mid.to_q']);
    const inputs = addSideBranches(graph, [...modules.values()], { batchOf: 'sample', ...options });
    return { session: await open(graph), factors: inputs.factors.get('mid.to_q') };
  };
  const plainFeeds = (x: Float32Array, rows: number) => {
    const shape = dims.length === 2 ? [x.length / width, width] : [rows, x.length / width / rows, width];
    return { x: { data: x, shape }, sample: { data: new Float32Array(rows), shape: [rows, 1] } };
  };
  const run = async (x: Float32Array, rows: number, gate: Tensor, factors = { a, b, rank }) => {
    const { session } = await build();
    const outputs = await session.run({
      ...plainFeeds(x, rows),
      'lora_a/mid.to_q': { data: factors.a, shape: [factors.rank, width] },
      'lora_b/mid.to_q': { data: factors.b, shape: [factors.rank, out] },
      'lora_gate/level0/rows': gate,
    });
    return outputs.y;
  };

  it('equals the merged weights under a gate of ones', async () => {
    const x = values(2 * 6 * width, 4);
    const merged = times(transposed(b, out), transposed(a, width), rank).map((value, at) => value + (w[at] as number));
    expectClose(
      await run(x, 2, { data: new Float32Array(rank).fill(1), shape: [1, 1, rank] }),
      times(x, merged, width),
    );
  });

  it('takes a gate of its own for each row and position', async () => {
    const x = values(2 * 6 * width, 5);
    const gate = values(2 * 6 * rank, 6);
    expectClose(await run(x, 2, { data: gate, shape: [2, 6, rank] }), expected(x, gate));
  });

  it('joins the results of two complementary masks', async () => {
    const x = values(6 * width, 7);
    const mask = Float32Array.of(1, 1, 0, 0, 1, 0);
    const second = { a: values(rank * width, 8), b: values(rank * out, 9) };
    const both = {
      a: Float32Array.of(...a, ...second.a),
      b: Float32Array.of(...b, ...second.b),
      rank: 2 * rank,
    };
    const gate = Float32Array.from({ length: 6 * 2 * rank }, (_, at) => {
      const inside = mask[Math.floor(at / (2 * rank))] as number;
      return at % (2 * rank) < rank ? inside : 1 - inside;
    });
    const ones = { data: new Float32Array(rank).fill(1), shape: [1, 1, rank] };
    const [one, other] = [await run(x, 1, ones), await run(x, 1, ones, { ...second, rank })];
    const joined = Float32Array.from({ length: 6 * out }, (_, at) =>
      Number(mask[Math.floor(at / out)] === 1 ? one?.data[at] : other?.data[at]),
    );
    expectClose(await run(x, 1, { data: gate, shape: [1, 6, 2 * rank] }, both), joined);
  });

  it.each([
    ['of both precisions', [1], [4, 0]],
    ['in half precision alone', [3, 0, 1], []],
    ['in single precision alone', [], [4, 0, 2]],
  ])('picks the ranks that act from among others, %s', async (_, halves, singles) => {
    const { session } = await build({ picks: true });
    const x = values(2 * 6 * width, 11);
    const gate = values(2 * 6 * rank, 12);
    const held = { a: values(5 * width, 13), b: values(5 * out, 14) };
    const half = { a: Float16Array.from(values(4 * width, 15)), b: Float16Array.from(values(4 * out, 16)) };
    const rowsOf = (rows: number[]) => ({ data: BigInt64Array.from(rows, BigInt), shape: [rows.length] });
    const { y } = await session.run({
      ...plainFeeds(x, 2),
      'lora_a/mid.to_q': { data: held.a, shape: [5, width] },
      'lora_b/mid.to_q': { data: held.b, shape: [5, out] },
      'lora_a_half/mid.to_q': { data: half.a, shape: [4, width] },
      'lora_b_half/mid.to_q': { data: half.b, shape: [4, out] },
      'lora_picks/linear': rowsOf(singles),
      'lora_picks_half/linear': rowsOf(halves),
      'lora_gate/level0/rows': { data: gate, shape: [2, 6, rank] },
    });
    const take = (side: 'a' | 'b', size: number) => {
      const row = (data: FactorValues, index: number) => [...data.subarray(index * size, (index + 1) * size)];
      return Float32Array.from([
        ...halves.flatMap((index) => row(half[side], index)),
        ...singles.flatMap((index) => row(held[side], index)),
      ]);
    };
    expectClose(y, expected(x, gate, { a: take('a', width), b: take('b', out) }));
  });

  it('rescales outputs or inputs by gains, beside the branch', async () => {
    const x = values(2 * 6 * width, 15);
    const gate = values(2 * 6 * rank, 16);
    const gainGate = values(2 * 6 * 2, 17);
    for (const side of ['out', 'in'] as const) {
      const size = side === 'out' ? out : width;
      const gains = values(2 * size, 18);
      const { session } = await build({ gains: [side] });
      const { y } = await session.run({
        ...plainFeeds(x, 2),
        'lora_a/mid.to_q': { data: a, shape: [rank, width] },
        'lora_b/mid.to_q': { data: b, shape: [rank, out] },
        [`lora_gain/${side}/mid.to_q`]: { data: gains, shape: [2, size] },
        'lora_gate/level0/rows': { data: gate, shape: [2, 6, rank] },
        [`lora_gate/level0/${side}/rows`]: { data: gainGate, shape: [2, 6, 2] },
      });
      const factor = times(gainGate, transposed(gains, size), 2).map((gain) => 1 + gain);
      const scaled = (value: Float32Array) => value.map((number, at) => number * (factor[at] as number));
      const plain = side === 'out' ? scaled(times(x, w, width)) : times(scaled(x), w, width);
      const delta = expected(x, gate).map((value, at) => value - (times(x, w, width)[at] as number));
      expectClose(
        y,
        plain.map((value, at) => value + (delta[at] as number)),
      );
    }
  });

  it('changes nothing under a gate of zeros', async () => {
    const x = values(4 * width, 10);
    const y = await run(x, 1, { data: new Float32Array(rank), shape: [1, 1, rank] });
    expectClose(y, times(x, w, width));
  });
});

describe('the side branch on a convolution', () => {
  it.each([
    [3, 1, 1],
    [3, 2, 1],
    [1, 1, 0],
  ])('of kernel %i, stride %i equals a convolution of the merged weights', async (kernel, stride, pad) => {
    const [cin, cout, side] = [3, 4, 6];
    const gains = { out: values(2 * cout, 5), in: values(2 * cin, 6) };
    const strengths = Float32Array.of(0.7, -0.4);
    const factorOf = (side: 'out' | 'in', channel: number, size: number) =>
      1 +
      (strengths[0] as number) * (gains[side][channel] as number) +
      (strengths[1] as number) * (gains[side][size + channel] as number);
    const bias = values(cout, 7);
    const weight = values(cout * cin * kernel * kernel, 1);
    const down = values(rank * cin * kernel * kernel, 2);
    const up = values(rank * cout, 3);
    const conv = (data: Float32Array): Graph => {
      const graph = graphOf(
        {
          name: 'mid.conv',
          op: 'Conv',
          domain: '',
          inputs: ['sample', 'w', 'bias'],
          outputs: ['y'],
          attributes: {
            kernel_shape: { type: 'ints', value: [kernel, kernel] },
            strides: { type: 'ints', value: [stride, stride] },
            pads: { type: 'ints', value: [pad, pad, pad, pad] },
          },
        },
        initializer(data, [cout, cin, kernel, kernel]),
        { name: 'sample', dtype: 'float', dims: ['batch', cin, 'h', 'w'] },
      );
      graph.initializers.set('bias', { ...initializer(bias, [cout]), name: 'bias' });
      graph.outputs[0] = { name: 'y', dtype: 'float', dims: ['batch', cout, 'h2', 'w2'] };
      return graph;
    };
    const delta = times(transposed(up, cout), transposed(down, cin * kernel * kernel), rank);
    const sample = { data: values(2 * cin * side * side, 4), shape: [2, cin, side, side] };
    const taps = kernel * kernel;
    for (const side of [null, 'out', 'in'] as const) {
      const changed = weight.map((value, at) => {
        const [output, input] = [Math.floor(at / (cin * taps)), Math.floor(at / taps) % cin];
        const factor = side === null ? 1 : side === 'out' ? factorOf('out', output, cout) : factorOf('in', input, cin);
        return value * factor + (delta[at] as number);
      });
      const { y: whole } = await (await open(conv(changed))).run({ sample });
      const branched = conv(weight);
      const modules = findAdaptable(branched, () => 'level1');
      const options = { picks: true, gains: side === null ? [] : [side] } as const;
      addSideBranches(branched, [...modules.values()], { batchOf: 'sample', ...options });
      // A convolution that halves the picture reads the level above.
      const level = side === 'in' && stride === 2 ? 'level0' : 'level1';
      const { y } = await (await open(branched)).run({
        sample,
        'lora_a/mid.conv': { data: down, shape: [rank, cin, kernel, kernel] },
        'lora_b/mid.conv': { data: up, shape: [rank, cout] },
        'lora_a_half/mid.conv': { data: new Float16Array(cin * kernel * kernel), shape: [1, cin, kernel, kernel] },
        'lora_b_half/mid.conv': { data: new Float16Array(cout), shape: [1, cout] },
        'lora_picks/conv': { data: BigInt64Array.from({ length: rank }, (_, at) => BigInt(at)), shape: [rank] },
        'lora_picks_half/conv': { data: new BigInt64Array(0), shape: [0] },
        'lora_gate/level1/planes': { data: new Float32Array(rank).fill(1), shape: [1, rank, 1, 1] },
        ...(side && {
          [`lora_gain/${side}/mid.conv`]: { data: gains[side], shape: [2, side === 'out' ? cout : cin] },
          [`lora_gate/${level}/${side}/planes`]: { data: strengths, shape: [1, 2, 1, 1] },
        }),
      });
      expectClose(y, whole?.data as Float32Array);
    }
  });
});

it('refuses a graph whose operators are older than the side branch', () => {
  const graph = graphOf(
    { name: '/mid/to_q/MatMul', op: 'MatMul', domain: '', inputs: ['x', 'w'], outputs: ['y'], attributes: {} },
    initializer(w, [width, out]),
    { name: 'x', dtype: 'float', dims: ['batch', 'n', width] },
    11,
  );
  const modules = [...findAdaptable(graph, () => 'level0').values()];
  expect(() => addSideBranches(graph, modules, { batchOf: 'x' })).toThrow(/opset 11/);
});
