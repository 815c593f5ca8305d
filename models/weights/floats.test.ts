import { describe, expect, it } from 'vitest';
import { decodeFloats, halfToFloat, toFloat32, viewHalves } from './floats.ts';

const bytesOf = (values: Uint16Array | Float32Array | Float64Array): Uint8Array => new Uint8Array(values.buffer);

describe('viewHalves', () => {
  const bytesAt = (offset: number, codes: readonly number[]) => {
    const bytes = new Uint8Array(offset + 2 * codes.length);
    bytes.set(new Uint8Array(Uint16Array.from(codes).buffer), offset);
    return bytes.subarray(offset);
  };

  it.each([0, 1, 2, 3])('finds what is not finite at any place, %d bytes into a buffer', (offset) => {
    for (let length = 1; length <= 6; length++) {
      const finite = Array.from({ length }, (_, at) => [0x7bff, 0xfbff, 0x03ff, 0x8000][at % 4] as number);
      expect(viewHalves(bytesAt(offset, finite)).finite).toBe(true);
      for (let at = 0; at < length; at++) {
        for (const code of [0x7c00, 0xfc00, 0x7e01, 0xfdff]) {
          expect(viewHalves(bytesAt(offset, finite.with(at, code))).finite).toBe(false);
        }
      }
    }
    expect(viewHalves(bytesAt(offset, [])).finite).toBe(true);
  });

  it('is a view where the bytes are aligned, and a copy where not', () => {
    for (const offset of [0, 1, 2, 3]) {
      const bytes = bytesAt(offset, [0x3c00, 0xc000]);
      const { values } = viewHalves(bytes);
      expect([...values]).toEqual([1, -2]);
      expect(values.buffer === bytes.buffer).toBe(offset % 2 === 0);
    }
  });
});

describe('decodeFloats', () => {
  it('reads halves at any offset', () => {
    const halves = bytesOf(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff));
    const expected = [1, -2, 2 ** -24, 65504];
    expect([...(decodeFloats(halves, 'F16')?.values ?? [])]).toEqual(expected);
    const shifted = new Uint8Array(9);
    shifted.set(halves, 1);
    expect([...(decodeFloats(shifted.subarray(1), 'F16')?.values ?? [])]).toEqual(expected);
  });

  it('reads bfloat16 as the upper half of float32', () => {
    const bits = new Uint32Array(Float32Array.of(-1.5, 2 ** 100).buffer);
    const upper = Uint16Array.from(bits, (b) => b >>> 16);
    expect([...(decodeFloats(bytesOf(upper), 'BF16')?.values ?? [])]).toEqual([-1.5, Math.fround(2 ** 100)]);
  });

  it('reads 8-bit floats: both formats, least and largest', () => {
    // OCP 8-bit floats, table 2: E4M3 reaches 448 and 2^-9, E5M2 57344 and 2^-16.
    expect([...(decodeFloats(Uint8Array.of(0x38, 0xb8, 0x7e, 0x01), 'F8_E4M3')?.values ?? [])]).toEqual([
      1,
      -1,
      448,
      2 ** -9,
    ]);
    expect([...(decodeFloats(Uint8Array.of(0x3c, 0x7b, 0x01), 'F8_E5M2')?.values ?? [])]).toEqual([1, 57344, 2 ** -16]);
  });

  it.each([
    ['F16', bytesOf(Uint16Array.of(0, 0x7c00))],
    ['F16', bytesOf(Uint16Array.of(0xfe00))],
    ['BF16', bytesOf(Uint16Array.of(0x7f80))],
    ['F32', bytesOf(Float32Array.of(1, Number.NaN))],
    ['F64', bytesOf(Float64Array.of(1e300))],
    ['F8_E4M3', Uint8Array.of(0xff)],
    ['F8_E5M2', Uint8Array.of(0xfc)],
  ] as const)('says that %s holds NaN or infinity', (dtype, bytes) => {
    expect(decodeFloats(bytes, dtype)?.finite).toBe(false);
  });

  it('says that the largest finite values are finite', () => {
    expect(decodeFloats(bytesOf(Uint16Array.of(0x7bff, 0xfbff)), 'F16')?.finite).toBe(true);
    expect(decodeFloats(Uint8Array.of(0x7e, 0xfe), 'F8_E4M3')?.finite).toBe(true);
  });

  it('has no floats for whole numbers', () => {
    expect(decodeFloats(Uint8Array.of(1), 'I8')).toBeNull();
    expect(() => toFloat32(Uint8Array.of(1), 'I8')).toThrow(/I8/);
    expect(halfToFloat(0x3555)).toBeCloseTo(1 / 3, 3);
  });
});
