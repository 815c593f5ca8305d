import { describe, expect, test } from 'vitest';
import { PhiloxNoise, philox4x32 } from './philox.ts';

describe('Philox4x32-10', () => {
  // The known answers that Random123, its authors' library, publishes.
  test.each([
    {
      counter: [0, 0, 0, 0],
      key: [0, 0],
      words: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    },
    {
      counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      key: [0xffffffff, 0xffffffff],
      words: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    },
    {
      counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      key: [0xa4093822, 0x299f31d0],
      words: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    },
  ])('counter $counter', ({ counter, key, words }) => {
    const [c0, c1, c2, c3] = counter as [number, number, number, number];
    const [k0, k1] = key as [number, number];
    const out = new Uint32Array(4);
    philox4x32(out, c0, c1, c2, c3, k0, k1);
    expect([...out]).toEqual(words);
  });
});

describe("torch's CUDA noise", () => {
  test('seed 0 draws the values that the field documents', () => {
    const documented = [
      -0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564, -0.62285122, -0.32838709, -1.07454231,
      -0.36314407, -1.67105067, 2.26550497,
    ];
    const actual = new PhiloxNoise(0).randn(12);
    const worst = Math.max(...documented.map((value, i) => Math.abs((actual[i] as number) - value)));
    expect(worst).toBeLessThan(2e-6);
  });

  test('a draw takes the next counter whatever the size of the one before', () => {
    const first = new PhiloxNoise(3);
    const second = new PhiloxNoise(3);
    first.randn(4);
    second.randn(100);
    expect(first.randn(8)).toEqual(second.randn(8));
    expect(first.randn(8)).not.toEqual(new PhiloxNoise(3).randn(8));
  });

  test('the high bits of the seed count', () => {
    expect(new PhiloxNoise(2 ** 32).randn(4)).not.toEqual(new PhiloxNoise(0).randn(4));
  });

  test('the values are standard normal', () => {
    const count = 100_000;
    const values = new PhiloxNoise(11).randn(count);
    const mean = values.reduce((total, value) => total + value, 0) / count;
    const variance = values.reduce((total, value) => total + (value - mean) ** 2, 0) / count;
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(variance - 1)).toBeLessThan(0.02);
  });
});
