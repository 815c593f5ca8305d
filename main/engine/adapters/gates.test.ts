import { describe, expect, it } from 'vitest';
import type { Region } from '../../../contract/request.ts';
import { gaussianBlur } from '../image/blur.ts';
import { crossBias, selfBias } from './attention-biases.ts';
import { levelSizes, rowGates } from './gates.ts';
import { areaAverage, type MaskPyramid, maskPyramid } from './level-masks.ts';
import { regionPixels, shareOut } from './regions.ts';
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

describe('a region by its box', () => {
  const size = { width: 12, height: 8, factor: 1, levels: 1 };

  it.each([
    [false, 0],
    [false, 2],
    [true, 1.5],
  ])('is the blur of its pixels: inverted %s, feather %s', async (invert, feather) => {
    const region = { name: 'r', box: [1.5, -2, 6, 7.25], invert, feather, weight: 1 } as Region;
    const expected = new Float32Array(12 * 8);
    for (const [at] of expected.entries()) {
      const [row, column] = [Math.floor(at / 12), at % 12];
      const inside =
        (column === 1 || column === 7 ? 0.5 : column > 1 && column < 7 ? 1 : 0) * (row < 5 ? 1 : row === 5 ? 0.25 : 0);
      expected[at] = invert ? 1 - inside : inside;
    }
    gaussianBlur(expected, 12, 8, feather);
    const pixels = await regionPixels(region, size, () => {});
    for (const [at, value] of expected.entries()) expect(pixels[at]).toBeCloseTo(value, 6);
  });

  it('is refused where it covers nothing, or inverted leaves nothing', async () => {
    for (const [box, invert] of [
      [[12, 0, 4, 4], false],
      [[-1, 0, 20, 8], true],
    ] as const) {
      const region = { name: 'r', box, invert, feather: 0, weight: 1 } as unknown as Region;
      await expect(regionPixels(region, size, () => {})).rejects.toMatchObject({ code: 'MASK_INVALID' });
    }
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
  const axis = (spans: [id: string, offset: number, rank: number, scale?: number][]) => ({
    rank: spans.reduce((sum, [, , rank]) => sum + rank, 0),
    spans: new Map(spans.map(([id, offset, rank, scale = 1]) => [id, { offset, rank, scale }])),
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

  it('carry alpha/rank of factors that do not hold it', () => {
    const scaled = { ...selection, linear: axis([['a', 0, 1, 0.25]]), conv: axis([['a', 0, 1, 4]]) };
    const all = { id: 'a', strength: 2, mask: null };
    const masked = { id: 'a', strength: 2, mask };
    const plain = rowGates(gates, scaled, { uses: [all] }, sizes);
    expect([plain.rows0, plain.planes0, plain.time].map((gate) => gate?.data[0])).toEqual([0.5, 8, 0.5]);
    const parted = { uses: [all], segments: [{ tokens: 1, uses: new Set([all]) }] };
    expect(rowGates(gates, scaled, parted, sizes).tokens?.data).toEqual(Float32Array.of(0.5));
    const places = rowGates(gates, scaled, { uses: [masked] }, sizes);
    expect(places.rows0?.data).toEqual(Float32Array.of(0.5, 0, 0.25, 0.25));
    expect(places.planes0?.data).toEqual(Float32Array.of(8, 0, 4, 4));
    for (const mixing of ['output', 'weights'] as const) {
      const own = { uses: [all], segments: [{ tokens: 1, uses: new Set([all]) }] };
      const where = new Map([['segments_level0', { rows: 'out' }]]);
      const given = rowGates(where, scaled, own, sizes, { mixing, weights: () => new Float32Array(4).fill(1) });
      expect(given.out?.data).toEqual(new Float32Array(4).fill(0.5));
    }
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
