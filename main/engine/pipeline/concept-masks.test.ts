import { describe, expect, it } from 'vitest';
import { highestMasks } from './concept-masks.ts';

const size = { height: 3, width: 6 };
/** Highest in a column, and falling away from it. */
const around = (column: number, height = 1) =>
  Float32Array.from({ length: 18 }, (_, at) => height / (1 + Math.abs((at % 6) - column)));

describe('masks by the highest map', () => {
  it('give each place to one concept, the one that shows most there', () => {
    const [left, right] = highestMasks([[around(0)], [around(5)]], size) as [Uint8Array, Uint8Array];
    expect([...left].map((own, at) => own + (right[at] as number))).toEqual(Array(18).fill(1));
    for (let row = 0; row < 3; row++) expect([...left.slice(row * 6, row * 6 + 6)]).toEqual([1, 1, 1, 0, 0, 0]);
  });

  it('measure each map by its own highest value: a faint concept has its place', () => {
    const strong = highestMasks([[around(0)], [around(5)]], size);
    expect(highestMasks([[around(0)], [around(5, 0.01)]], size)).toEqual(strong);
  });

  it('count all maps of a concept alike', () => {
    const masks = highestMasks([[around(0, 9), around(1)], [around(5)]], size);
    expect(masks).toEqual(highestMasks([[around(0), around(1, 9)], [around(5)]], size));
  });

  it('give a map of zeros nothing', () => {
    const [, none] = highestMasks([[around(2)], [new Float32Array(18)]], size);
    expect(none?.some(Boolean)).toBe(false);
  });
});
