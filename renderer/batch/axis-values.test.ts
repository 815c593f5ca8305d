import { describe, expect, it } from 'vitest';
import { axisValues } from './axis-values.ts';

const field = (kind: 'number' | 'integer' | 'text' | 'choice' | 'boolean', choices: string[] | null = null) => ({
  path: 'field',
  kind,
  choices,
});

describe('values of an axis', () => {
  it('are numbers, also by ranges up and down', () => {
    expect(axisValues('1, 3-5, 9', field('integer'))).toEqual([1, 3, 4, 5, 9]);
    expect(axisValues('0.5-0.8:0.1', field('number'))).toEqual([0.5, 0.6, 0.7, 0.8]);
    expect(axisValues('3-1', field('integer'))).toEqual([3, 2, 1]);
    expect(axisValues('-2, -1 - 1', field('number'))).toEqual([-2, -1, 0, 1]);
  });

  it('are texts, of which lines may hold commas', () => {
    expect(axisValues('red, blue', field('text'))).toEqual(['red', 'blue']);
    expect(axisValues('red, soft\nblue', field('text'))).toEqual(['red, soft', 'blue']);
    expect(axisValues('yes, off', field('boolean'))).toEqual([true, false]);
  });

  it('are refused in words where they are not of the kind', () => {
    expect(() => axisValues(' , ', field('text'))).toThrow('has no values');
    expect(() => axisValues('1.5', field('integer'))).toThrow('"1.5"');
    expect(() => axisValues('0.5-1:0.25', field('integer'))).toThrow('"0.5"');
    expect(() => axisValues('1-2:0', field('number'))).toThrow('too many');
    expect(() => axisValues('fast', field('choice', ['ddim', 'euler']))).toThrow('"fast"');
  });
});
