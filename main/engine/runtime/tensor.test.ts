import { describe, expect, it } from 'vitest';
import { buildSession } from './session.ts';
import { float32Data, tensor, toOrt } from './tensor.ts';
import { doubled } from './test-support.ts';

describe('tensor', () => {
  it('refuses a shape that does not hold its data', () => {
    expect(() => tensor(new Float32Array(5), [2, 3])).toThrow('[2, 3] was given 5 elements');
    expect(tensor(new Float32Array(1), []).shape).toEqual([]);
  });

  it('does not copy data of the declared type', () => {
    const data = Float32Array.of(1, 2);
    expect(toOrt(tensor(data, [2]), 'float32', 'x').data).toBe(data);
    expect(float32Data(tensor(data, [2]))).toBe(data);
  });

  it.each([
    ['float', Float64Array.of(1.5, -2), [3, -4]],
    ['float16', Float32Array.of(1.5, -2), [3, -4]],
    ['int64', Int32Array.of(49407, -1), [98814n, -2n]],
    ['int64', Float32Array.of(999, 0), [1998n, 0n]],
    ['int32', BigInt64Array.of(7n, -7n), [14, -14]],
  ] as const)('casts to the declared type %s and back', async (dtype, data, expected) => {
    const session = await buildSession(doubled(dtype), { name: 'doubled', provider: 'cpu' });
    const { y } = await session.run({ x: tensor(data, [2]) });
    expect([...(y?.data ?? [])]).toEqual(expected);
    expect(y?.data).not.toBeInstanceOf(Float16Array);
    await session.release();
  });

  it('refuses a fraction where the model takes whole numbers', () => {
    expect(() => toOrt(tensor(Float32Array.of(981.5), [1]), 'int64', 'timestep')).toThrow(
      'input timestep takes whole numbers (int64) and was given 981.5',
    );
  });

  it('refuses a type that no tensor here has', () => {
    expect(() => toOrt(tensor(Float32Array.of(1), [1]), 'string', 'names')).toThrow('names is of type string');
  });
});
