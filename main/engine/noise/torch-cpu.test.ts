import { describe, expect, test } from 'vitest';
import { TorchCpuNoise } from './torch-cpu.ts';
import vectors from './torch-cpu.vectors.json' with { type: 'json' };

/** The project's bar for a seed's noise. */
const tolerance = 2e-6;

interface Draw {
  count: number;
  values?: number[];
  head?: number[];
  tail?: number[];
  sum?: number;
}

function expectClose(actual: Float32Array, expected: number[]): void {
  expect(actual.length).toBe(expected.length);
  const worst = Math.max(...expected.map((value, i) => Math.abs((actual[i] as number) - value)));
  expect(worst).toBeLessThan(tolerance);
}

describe("torch's CPU noise", () => {
  test.each(vectors.cases)('seed $seed draws what torch recorded', ({ seed, draws }) => {
    const generator = new TorchCpuNoise(seed);
    for (const draw of draws as Draw[]) {
      const actual = generator.randn(draw.count);
      expect(actual.length).toBe(draw.count);
      if (draw.values) expectClose(actual, draw.values);
      if (draw.head) expectClose(actual.subarray(0, draw.head.length), draw.head);
      if (draw.tail) expectClose(actual.subarray(actual.length - draw.tail.length), draw.tail);
      if (draw.sum !== undefined) {
        const sum = actual.reduce((total, value) => total + value, 0);
        expect(Math.abs(sum - draw.sum) / draw.count).toBeLessThan(tolerance);
      }
    }
  });

  test('only the low 32 bits of the seed count, as in torch', () => {
    expect(new TorchCpuNoise(2 ** 40 + 5).randn(20)).toEqual(new TorchCpuNoise(5).randn(20));
  });

  test('a large draw leaves the normal that a small one kept', () => {
    const generator = new TorchCpuNoise(7);
    generator.randn(1);
    generator.randn(32);
    const kept = generator.randn(1);
    expect(kept).toEqual(new TorchCpuNoise(7).randn(2).subarray(1));
  });
});
