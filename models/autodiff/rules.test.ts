import { describe, expect, it } from 'vitest';
import { differentiate } from './differentiate.ts';
import { rules } from './rules/index.ts';
import { evaluate, type NdArray, ndarray } from './testing/float64.ts';
import { type RuleCase, ruleCases } from './testing/rule-cases.ts';

/** Each rule against central differences, both in float64. */

const values = (shape: readonly number[], seed: number, positive = false): NdArray =>
  ndarray(shape, (index) => {
    const value = Math.sin(seed * 12.9898 + index * 78.233) * 1.3;
    return positive ? Math.abs(value) + 0.5 : value;
  });

const step = 1e-5;

function numericalGradients(
  { graph, inputs }: RuleCase,
  feeds: Record<string, NdArray>,
  cotangent: NdArray,
): Record<string, NdArray> {
  const forward = graph();
  const product = (changed: Record<string, NdArray>): number => {
    const y = evaluate(forward, changed).get('y') as NdArray;
    return y.data.reduce((sum, value, at) => sum + value * (cotangent.data[at] as number), 0);
  };
  return Object.fromEntries(
    Object.keys(inputs).map((name) => {
      const x = feeds[name] as NdArray;
      const moved = (index: number, by: number) => {
        const data = x.data.with(index, (x.data[index] as number) + by);
        return product({ ...feeds, [name]: { data, shape: x.shape } });
      };
      return [name, ndarray(x.shape, (index) => (moved(index, step) - moved(index, -step)) / (2 * step))];
    }),
  );
}

describe('the vector-Jacobian product of', () => {
  it.each(ruleCases.map((one) => [one.name, one] as const))('%s', (_, one) => {
    const names = Object.keys(one.inputs);
    const feeds = Object.fromEntries(
      names.map((name, at) => [name, values(one.inputs[name] as number[], at + 1, one.positive)]),
    );
    const y = evaluate(one.graph(), feeds).get('y') as NdArray;
    const cotangent = values(y.shape, 9);
    const graph = one.graph();
    const ports = differentiate(graph, { of: ['y'], to: names });
    const found = evaluate(graph, { ...feeds, [ports.cotangents.get('y') as string]: cotangent });
    const expected = numericalGradients(one, feeds, cotangent);
    for (const name of names) {
      const gradient = found.get(ports.gradients.get(name) as string) as NdArray;
      const reference = expected[name] as NdArray;
      expect(gradient.shape, name).toEqual(reference.shape);
      const largest = Math.max(...reference.data.map(Math.abs));
      const error = Math.max(...gradient.data.map((value, at) => Math.abs(value - (reference.data[at] as number))));
      // Constants of the graph are float32.
      expect(error / largest, name).toBeLessThan(1e-6);
    }
  });

  it('every operator that has a rule is among these', () => {
    expect([...new Set(ruleCases.map(({ op }) => op))].sort()).toEqual([...rules.keys()].sort());
  });
});
