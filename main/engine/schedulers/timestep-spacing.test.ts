import { describe, expect, test } from 'vitest';
import { integerTimesteps, solverTimesteps } from './timestep-spacing.ts';

const request = { trainTimesteps: 1000, stepsOffset: 1 } as const;

describe('timestep spacing', () => {
  // Lin et al. 2023, table 2, counted from 0 instead of 1.
  test('the three spacings of ten steps', () => {
    expect(integerTimesteps({ ...request, spacing: 'leading', steps: 10 })).toEqual([
      901, 801, 701, 601, 501, 401, 301, 201, 101, 1,
    ]);
    expect(integerTimesteps({ ...request, spacing: 'trailing', steps: 10 })).toEqual([
      999, 899, 799, 699, 599, 499, 399, 299, 199, 99,
    ]);
    expect(integerTimesteps({ ...request, spacing: 'linspace', steps: 10 })).toEqual([
      999, 888, 777, 666, 555, 444, 333, 222, 111, 0,
    ]);
  });

  test('a half rounds to the even timestep', () => {
    expect(integerTimesteps({ ...request, spacing: 'linspace', steps: 3 })).toEqual([999, 500, 0]);
    expect(integerTimesteps({ ...request, spacing: 'trailing', steps: 16 })[1]).toBe(937);
  });

  test.each([61, 103, 121, 603])('%i trailing steps are that many and stay within the schedule', (steps) => {
    const timesteps = integerTimesteps({ ...request, spacing: 'trailing', steps });
    expect(timesteps.length).toBe(steps);
    expect(Math.min(...timesteps)).toBeGreaterThanOrEqual(0);
  });

  test('the offset never leads past the last training timestep', () => {
    expect(integerTimesteps({ ...request, spacing: 'leading', steps: 1000 })[0]).toBe(999);
    expect(solverTimesteps({ ...request, spacing: 'leading', steps: 999 })[0]).toBe(999);
  });
});
