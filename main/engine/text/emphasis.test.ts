import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyEmphasis } from './emphasis.ts';

const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('emphasis', () => {
  it('weighs each token, then restores the mean of the whole chunk', () => {
    // Mean 2.5; weighed: 1 2 6 8 with mean 4.25.
    const out = applyEmphasis(Float32Array.of(1, 2, 3, 4), Float32Array.of(1, 2), 2, 2);
    expect([...out]).toEqual([1, 2, 6, 8].map((value) => Math.fround((value * 2.5) / 4.25)));
  });

  it('changes nothing where every weight is 1', () => {
    const hidden = Float32Array.of(0.1, -3, Number.MIN_VALUE, 7);
    expect(applyEmphasis(hidden, Float32Array.of(1, 1), 2, 2)).toBe(hidden);
  });

  it('leaves its input as it was', () => {
    const hidden = Float32Array.of(1, 2);
    applyEmphasis(hidden, Float32Array.of(1, 2), 2, 1);
    expect([...hidden]).toEqual([1, 2]);
  });

  it('keeps the mean, and the proportions within a token', () => {
    const value = fc.float({ min: Math.fround(0.1), max: 10, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 12, maxLength: 12 }),
        fc.array(fc.float({ min: Math.fround(0.1), max: 3, noNaN: true }), { minLength: 4, maxLength: 4 }),
        (states, weights) => {
          const hidden = Float32Array.from(states);
          const out = applyEmphasis(hidden, Float32Array.from(weights), 4, 3);
          expect(mean(out) / mean(hidden)).toBeCloseTo(1, 5);
          const ratio = (at: number) => (out[at] ?? 0) / (hidden[at] ?? 1);
          for (let token = 0; token < 4; token++) {
            expect(ratio(token * 3 + 1) / ratio(token * 3)).toBeCloseTo(1, 5);
            expect(ratio(token * 3) / ratio(0)).toBeCloseTo((weights[token] ?? 1) / (weights[0] ?? 1), 4);
          }
        },
      ),
    );
  });

  it('gives finite states where the weighed mean is 0', () => {
    expect([...applyEmphasis(Float32Array.of(1, 1), Float32Array.of(1, -1), 2, 1)]).toEqual([1, -1]);
    expect([...applyEmphasis(Float32Array.of(2, 3), Float32Array.of(0, 0), 2, 1)]).toEqual([0, 0]);
  });

  it('refuses lengths that do not fit', () => {
    expect(() => applyEmphasis(new Float32Array(5), new Float32Array(2), 2, 2)).toThrow(RangeError);
    expect(() => applyEmphasis(new Float32Array(4), new Float32Array(3), 2, 2)).toThrow(RangeError);
  });
});
