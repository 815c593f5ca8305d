import { afterAll, describe, expect, it } from 'vitest';
import { differentiate } from '../../../models/autodiff/differentiate.ts';
import { evaluate, type NdArray, ndarray } from '../../../models/autodiff/testing/float64.ts';
import { ruleCases } from '../../../models/autodiff/testing/rule-cases.ts';
import { serialise } from '../../../models/onnx/serialise.ts';
import { buildSession, type ModelSession } from './session.ts';

/**
 * What the rules of differentiation write, run by ONNX Runtime and held against the same graph in float64, which is held
 * against finite differences beside the rules.
 */

const opened: ModelSession[] = [];
afterAll(() => Promise.all(opened.map((session) => session.release())));

const values = (shape: readonly number[], seed: number, positive = false): NdArray =>
  ndarray(shape, (index) => {
    const value = Math.sin(seed * 12.9898 + index * 78.233) * 1.3;
    // Of float32, so that both are given the same.
    return Math.fround(positive ? Math.abs(value) + 0.5 : value);
  });

describe('ONNX Runtime gives the vector-Jacobian product of', () => {
  it.each(ruleCases.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const names = Object.keys(one.inputs);
    const feeds = Object.fromEntries(
      names.map((name, at) => [name, values(one.inputs[name] as number[], at + 1, one.positive)]),
    );
    const { shape } = evaluate(one.graph(), feeds).get('y') as NdArray;
    const graph = one.graph();
    const ports = differentiate(graph, { of: ['y'], to: names });
    const given = { ...feeds, [ports.cotangents.get('y') as string]: values(shape, 9) };
    // The graph of one operator takes no input that the way back does not read.
    const read = Object.fromEntries(
      Object.entries(given).filter(([name]) => graph.inputs.some((input) => input.name === name)),
    );
    const expected = evaluate(graph, read);
    const session = await buildSession(serialise(graph), { name: one.name, provider: 'cpu' });
    opened.push(session);
    const outputs = await session.run(
      Object.fromEntries(
        Object.entries(read).map(([name, { data, shape: sizes }]) => [
          name,
          { data: Float32Array.from(data), shape: sizes },
        ]),
      ),
    );
    for (const name of ports.gradients.values()) {
      const reference = expected.get(name) as NdArray;
      expect(outputs[name]?.shape, name).toEqual(reference.shape);
      const largest = Math.max(...reference.data.map(Math.abs));
      const error = Math.max(...reference.data.map((value, at) => Math.abs(value - Number(outputs[name]?.data[at]))));
      expect(error / largest, name).toBeLessThan(1e-5);
    }
  });
});
