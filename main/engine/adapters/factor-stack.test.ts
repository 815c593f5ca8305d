import { beforeEach, describe, expect, it } from 'vitest';
import type { AdapterLayer, FactorValues } from '../../../models/adapters/adapter.ts';
import type { StackModule } from './factor-bank.ts';
import { FactorStack, type Selection } from './factor-stack.ts';

const modules: StackModule[] = [
  { path: 'to_q', kind: 'linear', in: 3, out: 2, kernel: [] },
  { path: 'to_k', kind: 'linear', in: 5, out: 4, kernel: [] },
  { path: 'conv', kind: 'conv', in: 2, out: 3, kernel: [3, 3] },
];

/** Do files hold their factors in half precision? */
let halves = false;

function layer(path: string, rank: number, seed: number, scale = 1): AdapterLayer {
  const module = modules.find((candidate) => candidate.path === path) as StackModule;
  const inner = module.kernel.reduce((a, b) => a * b, module.in);
  const values = (count: number, shift: number) => {
    const numbers = Array.from({ length: count }, (_, at) => Math.sin(seed * 7 + shift + at));
    return halves ? Float16Array.from(numbers) : Float32Array.from(numbers);
  };
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
  const { rank } = selection[module.kind];
  const found = { a: [] as number[], b: [] as number[] };
  for (const precision of picks ? (['half', 'single'] as const) : (['single'] as const)) {
    const { a, b } = selection.factors(path, precision);
    const given = selection.picks[module.kind][precision].data as BigInt64Array;
    const rows = picks ? [...given].map(Number) : [...Array(rank).keys()];
    expect([a.data.length, b.data.length]).toEqual([(a.shape[0] ?? 0) * inner, (b.shape[0] ?? 0) * module.out]);
    if (!picks) expect(a.shape[0]).toBe(rank);
    const take = (data: FactorValues, width: number) =>
      rows.flatMap((row) => [...data.subarray(row * width, (row + 1) * width)]);
    found.a.push(...take(a.data as FactorValues, inner));
    found.b.push(...take(b.data as FactorValues, module.out));
  }
  expect(found.b.length).toBe(rank * module.out);
  return found;
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
          (sum[out * inner + at] as number) +
          (span?.scale ?? 0) * (b[rank * module.out + out] as number) * (a[rank * inner + at] as number);
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

/** Where picked halves lie; a graph that does not pick is given singles. */
const main = () => (picks && halves ? 'half' : 'single');

describe.each([
  [true, true],
  [true, false],
  [false, true],
  [false, false],
])('FactorStack where the graph picks: %s, and files are in half precision: %s', (given, half) => {
  beforeEach(() => {
    picks = given;
    halves = half;
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
    const { a, b } = selection.factors('conv', main());
    expect(acting(selection, 'conv')).toEqual({ a: new Array(18).fill(0), b: [0, 0, 0] });
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
    const memory = (selected: string[]) => stack.select(selected).factors('to_q', main()).a.data.buffer;
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
      ['a', { offset: 0, rank: 1, scale: 1 }],
      ['c', { offset: 1, rank: 1, scale: 1 }],
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
    const held = drawing.factors('to_q', main());
    const before = delta(drawing, 'b', 'to_q');
    for (const id of ['c', 'a', 'd']) stack.add([{ id, layers: [layer('to_q', 100, 5)] }], new Set(['b']));
    expect(delta(drawing, 'b', 'to_q')).toEqual(before);
    expect(drawing.factors('to_q', main())).toBe(held);
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

  it('keeps halves as halves under one scale, which the gate carries, and others in single precision', () => {
    const stack = new FactorStack(modules, picks);
    const single = layer('to_q', 2, 6, 0.5);
    const layers = {
      even: [layer('to_q', 2, 1, 0.3), layer('to_k', 1, 2, 0.3), layer('conv', 1, 3, 0.7)],
      uneven: [layer('to_q', 2, 4, 0.3), layer('to_k', 1, 5, 0.6)],
      single: [{ ...single, down: Float32Array.from(single.down), up: Float32Array.from(single.up) }],
    };
    const ids = ['even', 'single', 'uneven'] as const;
    stack.add(
      ids.map((id) => ({ id, layers: layers[id] })),
      none,
    );
    const selection = stack.select(ids);
    for (const id of ids) for (const one of layers[id]) expectClose(delta(selection, id, one.path), deltaOf(one));
    const scales = [selection.linear, selection.conv].map(({ spans }) => spans.get('even')?.scale);
    expect(scales).toEqual(picks && halves ? [0.3, 0.7] : [1, 1]);
    expect(selection.linear.spans.get('uneven')?.scale).toBe(1);
    // Of 7 ranks, those of `even` alone are held in half their size.
    const size = (id: (typeof ids)[number]) =>
      layers[id].reduce((sum, { down, up }) => sum + 4 * (down.length + up.length), 0);
    const even = picks && halves ? size('even') / 2 : size('even');
    expect(stack.bytes).toBe(even + size('uneven') + size('single'));
  });

  it('refuses a layer of another size', () => {
    const stack = new FactorStack(modules, picks);
    const wrong = { ...layer('to_k', 2, 1), path: 'to_q' };
    expect(() => stack.add([{ id: 'a', layers: [wrong] }], none)).toThrow(/to_q is made for 5 inputs and 4 outputs/);
  });
});
