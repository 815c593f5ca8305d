import { describe, expect, it } from 'vitest';
import { crossBias, selfBias } from './attention-biases.ts';
import { levelSizes, rowGates } from './gates.ts';
import { areaAverage, type MaskPyramid, maskPyramid } from './level-masks.ts';
import { shareOut } from './regions.ts';
import { actsAt, scheduleFactor } from './strength-schedule.ts';

const plane = (data: number[], width: number) => ({
  data: Float32Array.from(data),
  height: data.length / width,
  width,
});

describe('masks at the levels of the UNet', () => {
  it('halves with the last odd row and column alone, as a stride of two has it', () => {
    const { levels, mean } = maskPyramid(plane([1, 0, 1, 0, 0, 0, 1, 1, 0.5], 3), 3);
    expect(levels.map(({ height, width }) => [height, width])).toEqual([
      [3, 3],
      [2, 2],
      [1, 1],
    ]);
    expect([...(levels[1]?.data ?? [])]).toEqual([0.25, 0.5, 1, 0.5]);
    expect(levelSizes(3, 3, 3)).toEqual(levels.map(({ height, width }) => ({ height, width })));
    expect(mean).toBeCloseTo(4.5 / 9);
  });

  it('averages the area under a cell, also where sizes do not divide', () => {
    expect([...areaAverage(plane([1, 1, 0, 0, 1, 0, 0, 0], 4), 1, 2).data]).toEqual([0.75, 0]);
    const thirds = areaAverage(plane([1, 0, 0], 3), 1, 2).data;
    expect(thirds[0]).toBeCloseTo(2 / 3);
    expect(thirds[1]).toBeCloseTo(0);
  });
});

describe('sharing a picture out', () => {
  it('gives the rest to the background and splits overlaps by weight', () => {
    const { shares, background } = shareOut([Float32Array.of(1, 1, 0, 0.5), Float32Array.of(0, 1, 0, 0)], [1, 3], 0);
    expect([...background]).toEqual([0, 0, 1, 0.5]);
    expect([...(shares[0] ?? [])]).toEqual([1, 0.25, 0, 0.5]);
    expect([...(shares[1] ?? [])]).toEqual([0, 0.75, 0, 0]);
  });

  it('keeps a share of the background within regions where asked', () => {
    const { shares, background } = shareOut([Float32Array.of(1, 0)], [2], 0.2);
    expect(background[0]).toBeCloseTo(0.2);
    expect(background[1]).toBe(1);
    expect(shares[0]?.[0]).toBeCloseTo(0.8);
  });
});

describe('when an adapter acts', () => {
  it('is from the start of its range up to its end', () => {
    const steps: [number, number] = [0.25, 0.5];
    expect([0, 0.25, 0.4, 0.5].map((share) => actsAt({ steps }, share))).toEqual([false, true, true, false]);
    expect(actsAt({ steps: [0.5, 1] }, 1)).toBe(true);
  });

  it('follows a curve, linear between its points and constant beyond them', () => {
    const steps: [number, number] = [0, 1];
    const curve: [number, number][] = [
      [0.2, 1],
      [0.6, 0],
    ];
    const factors = [0, 0.2, 0.4, 0.6, 0.9].map((share) => scheduleFactor({ steps, curve }, share));
    for (const [at, expected] of [1, 1, 0.5, 0, 0].entries()) expect(factors[at]).toBeCloseTo(expected);
    expect(scheduleFactor({ steps }, 0.5)).toBe(1);
    expect(scheduleFactor({ steps: [0.5, 1], curve }, 0.2)).toBe(0);
  });
});

describe('gates of a row', () => {
  const gates = new Map([
    ['level0', { rows: 'rows0', planes: 'planes0' }],
    ['context', { rows: 'tokens' }],
    ['vector', { rows: 'time' }],
  ]);
  const axis = (spans: [string, number, number][]) => ({
    rank: spans.reduce((sum, [, , rank]) => sum + rank, 0),
    spans: new Map(spans.map(([id, offset, rank]) => [id, { offset, rank }])),
  });
  const selection = {
    linear: axis([
      ['a', 0, 2],
      ['b', 2, 1],
    ]),
    conv: axis([['a', 0, 1]]),
    gains: { out: axis([['b', 0, 1]]), in: axis([['a', 0, 1]]) },
  };
  const mask: MaskPyramid = maskPyramid(plane([1, 0, 0.5, 0.5], 2), 1);
  const sizes = levelSizes(2, 2, 1);

  it('of gains are one value an adapter, under its mask where they work on the picture', () => {
    const names = { level0: { 'out/planes': 'planes', 'in/rows': 'rows' }, vector: { 'out/rows': 'vector' } } as const;
    const uses = [
      { id: 'a', strength: 0.5, mask: null },
      { id: 'b', strength: 2, mask },
    ];
    const feeds = rowGates(new Map(Object.entries(names)), selection, { uses }, sizes);
    expect(feeds.planes).toEqual({ data: Float32Array.of(2, 0, 1, 1), shape: [1, 1, 2, 2] });
    expect(feeds.rows).toEqual({ data: new Float32Array(4).fill(0.5), shape: [1, 4, 1] });
    expect(feeds.vector).toEqual({ data: Float32Array.of(1), shape: [1, 1, 1] });
  });

  it('are one value a rank where nothing is masked', () => {
    const feeds = rowGates(gates, selection, { uses: [{ id: 'a', strength: 0.5, mask: null }] }, sizes);
    expect(feeds.rows0).toEqual({ data: Float32Array.of(0.5, 0.5, 0), shape: [1, 1, 3] });
    expect(feeds.planes0).toEqual({ data: Float32Array.of(0.5), shape: [1, 1, 1, 1] });
  });

  it('carry masks by place, and their mean where there is no place', () => {
    const uses = [
      { id: 'a', strength: 2, mask },
      { id: 'b', strength: 1, mask: null },
    ];
    const feeds = rowGates(gates, selection, { uses }, sizes);
    expect(feeds.rows0).toEqual({ data: Float32Array.of(2, 2, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1), shape: [1, 4, 3] });
    expect(feeds.planes0).toEqual({ data: Float32Array.of(2, 0, 1, 1), shape: [1, 1, 2, 2] });
    expect(feeds.time).toEqual({ data: Float32Array.of(1, 1, 1), shape: [1, 1, 3] });
  });

  it("act on a segment's own tokens", () => {
    const [a, b] = [
      { id: 'a', strength: 2, mask },
      { id: 'b', strength: 1, mask: null },
    ];
    const segments = [
      { tokens: 1, uses: new Set([b]) },
      { tokens: 2, uses: new Set([a, b]) },
    ];
    const feeds = rowGates(gates, selection, { uses: [a, b], segments }, sizes);
    expect(feeds.tokens).toEqual({ data: Float32Array.of(0, 0, 1, 2, 2, 1, 2, 2, 1), shape: [1, 3, 3] });
  });

  it('add up where one file is used twice', () => {
    const uses = [
      { id: 'b', strength: 1, mask: null },
      { id: 'b', strength: 0.5, mask },
    ];
    const { rows0 } = rowGates(gates, selection, { uses }, sizes);
    expect([2, 5, 8, 11].map((at) => rows0?.data[at])).toEqual([1.5, 1, 1.25, 1.25]);
  });
});

describe('biases', () => {
  const left = maskPyramid(plane([1, 0], 2), 1);
  const right = maskPyramid(plane([0, 1], 2), 1);

  it('shut tokens of other regions and mix by the logarithm of a share', () => {
    const half = maskPyramid(plane([0.5, 0.5], 2), 1);
    const { data, shape } = crossBias(
      [
        { tokens: 1, mask: left },
        { tokens: 2, mask: half },
      ],
      0,
      2,
    );
    expect(shape).toEqual([1, 1, 2, 3]);
    expect(data[0]).toBe(0);
    expect(data[1]).toBeCloseTo(Math.log(0.5));
    expect(data[3]).toBe(-1e4);
  });

  it('isolate regions from each other, never the background, and by degrees', () => {
    expect([...selfBias([left, right], 1, 0).data]).toEqual([0, -1e4, -1e4, 0]);
    expect(selfBias([left, right], 0.5, 0).data[1]).toBeCloseTo(Math.log(0.5));
    expect([...selfBias([left], 1, 0).data]).toEqual([0, 0, 0, 0]);
  });
});
