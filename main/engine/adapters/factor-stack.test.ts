import { beforeEach, describe, expect, it } from 'vitest';
import type { AdapterLayer } from '../../../models/adapters/adapter.ts';
import { FactorStack, type Selection, type StackModule } from './factor-stack.ts';

const modules: StackModule[] = [
  { path: 'to_q', kind: 'linear', in: 3, out: 2, kernel: [] },
  { path: 'to_k', kind: 'linear', in: 5, out: 4, kernel: [] },
  { path: 'conv', kind: 'conv', in: 2, out: 3, kernel: [3, 3] },
];

function layer(path: string, rank: number, seed: number, scale = 1): AdapterLayer {
  const module = modules.find((candidate) => candidate.path === path) as StackModule;
  const inner = module.kernel.reduce((a, b) => a * b, module.in);
  const values = (count: number, shift: number) =>
    Float32Array.from({ length: count }, (_, at) => Math.sin(seed * 7 + shift + at));
  return {
    path,
    rank,
    down: values(rank * inner, 0),
    downShape: [rank, module.in, ...module.kernel],
    up: values(rank * module.out, 0.5),
    out: module.out,
    scale,
    origin: { kind: 'exact' },
  };
}

/** Does the graph pick the ranks that act? Both kinds of graph are given the same. */
let picks = true;

/** A module's factors as the graph computes with them. */
function acting(selection: Selection, path: string) {
  const module = modules.find((candidate) => candidate.path === path) as StackModule;
  const inner = module.kernel.reduce((a, b) => a * b, module.in);
  const { a, b } = selection.factors(path);
  const { rank } = selection[module.kind];
  const rows = picks ? [...(selection.picks[module.kind].data as BigInt64Array)].map(Number) : [...Array(rank).keys()];
  expect(rows.length).toBe(rank);
  expect([a.data.length, b.data.length]).toEqual([(a.shape[0] ?? 0) * inner, (b.shape[0] ?? 0) * module.out]);
  if (!picks) expect(a.shape[0]).toBe(rank);
  const take = (data: Float32Array, width: number) =>
    rows.flatMap((row) => [...data.subarray(row * width, (row + 1) * width)]);
  return { a: take(a.data as Float32Array, inner), b: take(b.data as Float32Array, module.out) };
}

/** The delta that an adapter's span of a selection gives a module, [out, in]. */
function delta(selection: Selection, id: string, path: string): number[] {
  const module = modules.find((candidate) => candidate.path === path) as StackModule;
  const inner = module.kernel.reduce((a, b) => a * b, module.in);
  const span = selection[module.kind].spans.get(id);
  const { a, b } = acting(selection, path);
  const sum = new Array<number>(module.out * inner).fill(0);
  for (let rank = span?.offset ?? 0; rank < (span ? span.offset + span.rank : 0); rank++) {
    for (let out = 0; out < module.out; out++) {
      for (let at = 0; at < inner; at++) {
        sum[out * inner + at] =
          (sum[out * inner + at] as number) + (b[rank * module.out + out] as number) * (a[rank * inner + at] as number);
      }
    }
  }
  return sum;
}

function deltaOf({ up, down, rank, out, scale }: AdapterLayer): number[] {
  const inner = down.length / rank;
  return Array.from({ length: out * inner }, (_, at) => {
    let sum = 0;
    for (let r = 0; r < rank; r++) {
      sum += (up[Math.floor(at / inner) * rank + r] as number) * (down[r * inner + (at % inner)] as number);
    }
    return scale * sum;
  });
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  for (const [at, value] of expected.entries()) expect(actual[at]).toBeCloseTo(value, 5);
}

const none = new Set<string>();

describe.each([true, false])('FactorStack where the graph picks: %s', (given) => {
  beforeEach(() => {
    picks = given;
  });

  it("keeps each adapter's delta, with ranks that differ between layers and layers that it lacks", () => {
    const stack = new FactorStack(modules, picks);
    const a = [layer('to_q', 2, 1, 0.5), layer('to_k', 4, 2), layer('conv', 1, 3)];
    const b = [layer('to_q', 3, 4, 2)];
    stack.add([{ id: 'a', layers: a }], none);
    stack.add([{ id: 'b', layers: b }], new Set(['a']));
    const selection = stack.select(['a', 'b']);
    expect(selection.linear.rank).toBe(4 + 3);
    expect(selection.conv.rank).toBe(1);
    for (const one of a) expectClose(delta(selection, 'a', one.path), deltaOf(one));
    expectClose(delta(selection, 'b', 'to_q'), deltaOf(b[0] as AdapterLayer));
    expect(delta(selection, 'b', 'to_k').every((value) => value === 0)).toBe(true);
  });

  it('gives a rank of one, of zeros, where nothing acts', () => {
    const selection = new FactorStack(modules, picks).select([]);
    const { a, b } = selection.factors('conv');
    expect(a.shape).toEqual([1, 2, 3, 3]);
    expect(b.shape).toEqual([1, 3]);
    expect(a.data.every((value) => value === 0) && b.data.every((value) => value === 0)).toBe(true);
  });

  it('gives the same numbers whatever was opened before, and in whatever order', () => {
    const entry = (id: string, seed: number) => ({ id, layers: [layer('to_q', 40, seed)] });
    const entries = [entry('a', 1), entry('b', 2), entry('c', 3), entry('d', 4)];
    const [forward, backward] = [new FactorStack(modules, picks), new FactorStack(modules, picks)];
    const all = new Set(['a', 'b', 'c', 'd']);
    for (const one of entries) forward.add([one], all);
    for (const one of entries.toReversed()) backward.add([one], all);
    for (const ids of [
      ['a', 'd'],
      ['d', 'a'],
      ['b', 'c', 'd'],
      ['a', 'b', 'd'],
    ]) {
      const [x, y] = [forward.select(ids), backward.select(ids)];
      expect(acting(x, 'to_q')).toEqual(acting(y, 'to_q'));
      for (const id of ids) expectClose(delta(x, id, 'to_q'), deltaOf(layer('to_q', 40, 'abcd'.indexOf(id) + 1)));
    }
  });

  it('copies nothing for neighbours, and never where the graph picks, and gives the chosen ranks alone', () => {
    const stack = new FactorStack(modules, picks);
    const ids = ['a', 'b', 'c', 'd'];
    stack.add(
      ids.map((id, index) => ({ id, layers: [layer('to_q', 50, index)] })),
      none,
    );
    const memory = (selected: string[]) => stack.select(selected).factors('to_q').a.data.buffer;
    expect(memory(['a', 'b'])).toBe(memory(['c', 'd']));
    expect(stack.select(['a', 'b']).linear.rank).toBe(100);
    expect(memory(['a', 'd']) === memory(['a', 'b'])).toBe(picks);
    expect(stack.select(['a', 'd']).linear.rank).toBe(100);
    for (const id of ['a', 'd']) {
      expectClose(delta(stack.select(['a', 'd']), id, 'to_q'), deltaOf(layer('to_q', 50, 'abcd'.indexOf(id))));
    }
  });

  it('lays gains side by side, one for each adapter that has any, zeros where a module has none', () => {
    const stack = new FactorStack(modules, picks);
    const gain = (values: number[]) => ({ side: 'out', values: Float32Array.from(values) }) as const;
    const entries = [
      { id: 'a', layers: [{ ...layer('to_q', 1, 1), gain: gain([1, 2]) }] },
      { id: 'b', layers: [layer('to_q', 1, 2)] },
      { id: 'c', layers: [{ ...layer('to_q', 1, 3), gain: gain([3, 4]) }, layer('conv', 1, 3)] },
    ];
    stack.add(entries, none);
    const selection = stack.select(['a', 'b', 'c']);
    expect([...selection.gains.out.spans]).toEqual([
      ['a', { offset: 0, rank: 1 }],
      ['c', { offset: 1, rank: 1 }],
    ]);
    expect(selection.gain('to_q', 'out')).toEqual({ data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] });
    expect(selection.gain('conv', 'out')).toEqual({ data: new Float32Array(6), shape: [2, 3] });
    expect(selection.gain('to_q', 'in')).toEqual({ data: new Float32Array(3), shape: [1, 3] });
    const wrong = { ...layer('to_q', 1, 1), gain: gain([1, 2, 3]) };
    expect(() => stack.add([{ id: 'd', layers: [wrong] }], none)).toThrow(/to_q is made for/);
  });

  it('leaves what a picture in the making holds as it is when adapters are added or give way', () => {
    const stack = new FactorStack(modules, picks);
    stack.add([{ id: 'b', layers: [layer('to_q', 3, 2)] }], none);
    const drawing = stack.select(['b']);
    const held = drawing.factors('to_q');
    const before = delta(drawing, 'b', 'to_q');
    for (const id of ['c', 'a', 'd']) stack.add([{ id, layers: [layer('to_q', 100, 5)] }], new Set(['b']));
    expect(delta(drawing, 'b', 'to_q')).toEqual(before);
    expect(drawing.factors('to_q')).toBe(held);
    expectClose(delta(stack.select(['a', 'b', 'd']), 'b', 'to_q'), deltaOf(layer('to_q', 3, 2)));
    expectClose(delta(stack.select(['a', 'b', 'd']), 'd', 'to_q'), deltaOf(layer('to_q', 100, 5)));
  });

  it('replaces an adapter of the same identity and tells layers that the network lacks', () => {
    const stack = new FactorStack(modules, picks);
    stack.add([{ id: 'a', layers: [layer('to_q', 2, 1)] }], none);
    const second = layer('to_q', 3, 9);
    const lost = stack.add([{ id: 'a', layers: [second, { ...layer('to_q', 1, 1), path: 'elsewhere' }] }], none);
    expect(lost.get('a')).toEqual(['elsewhere']);
    expectClose(delta(stack.select(['a']), 'a', 'to_q'), deltaOf(second));
  });

  it('refuses a layer of another size', () => {
    const stack = new FactorStack(modules, picks);
    const wrong = { ...layer('to_k', 2, 1), path: 'to_q' };
    expect(() => stack.add([{ id: 'a', layers: [wrong] }], none)).toThrow(/to_q is made for 5 inputs and 4 outputs/);
  });
});
