import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../models/checkpoint/open.ts';
import { authorUNet } from '../../../models/networks/unet.ts';
import { parseModel, serialise } from '../../../models/onnx/serialise.ts';
import { unetGate } from '../../../models/passes/adaptable-modules.ts';
import { addAttentionBias } from '../../../models/passes/attention-bias.ts';
import type { AttentionPlace } from '../../../models/passes/attention-nodes.ts';
import { buildSession, type ModelSession } from '../runtime/session.ts';
import type { Tensor } from '../runtime/tensor.ts';

/** Biases on attention in each form that a graph may have it: fused, plain, and as torch's exporter writes it. */

const fixtures = resolve(import.meta.dirname, '../../../fixtures');
const checkpoint = await openCheckpoint(join(fixtures, 'small/models/sd1'));
const { unet } = checkpoint;
if (unet.source !== 'weights') throw new Error('the fixture sd1 holds weights');
const exported = join(fixtures, 'adapters/models/sd1-onnx/unet/model.onnx');
const [height, width, tokens] = [8, 8, 77];
const values = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, at) => Math.sin(seed * 3.7 + at * 1.3));

const opened: ModelSession[] = [];
afterAll(() => Promise.all(opened.map((session) => session.release())));

const forms = {
  fused: async () => authorUNet(unet.config, unet.weights, { attention: 'fused', compute: 'float' }),
  plain: async () => authorUNet(unet.config, unet.weights, { attention: 'plain', compute: 'float' }),
  exported: async () => parseModel(await readFile(exported), exported),
} as const;

/** The prediction under a bias, which may differ by level. */
async function predict(form: keyof typeof forms, place: AttentionPlace, bias: (count: number) => Tensor, runs = 1) {
  const graph = await forms[form]();
  const options = {
    place,
    levelOf: unetGate(unet.config),
    queryRuns: (level: string) => (level === 'level2' ? 1 : runs),
  };
  const inputs = addAttentionBias(graph, options);
  expect([...inputs.keys()].toSorted()).toEqual(['level0', 'level1', 'level2']);
  const session = await buildSession(serialise(graph), { name: 'unet', provider: 'cpu' });
  opened.push(session);
  const feeds: Record<string, Tensor> = {
    sample: { data: values(4 * height * width, 1), shape: [1, 4, height, width] },
    timestep: { data: Float32Array.of(500), shape: form === 'exported' ? [] : [1] },
    encoder_hidden_states: { data: values(tokens * 16, 2), shape: [1, tokens, 16] },
  };
  for (const [level, name] of inputs) feeds[name] = bias((height * width) / 4 ** Number(level.slice(5)));
  return (await session.run(feeds)).out_sample?.data as Float32Array;
}

const cross = (count: number): Tensor => ({ data: values(count * tokens, 3), shape: [1, 1, count, tokens] });
const self = (count: number): Tensor => ({ data: values(count * count, 4), shape: [1, 1, count, count] });

function expectClose(actual: Float32Array, expected: Float32Array): void {
  expect(actual.length).toBe(expected.length);
  expect(Math.max(...actual.map((value, at) => Math.abs(value - (expected[at] as number))))).toBeLessThan(1e-4);
}

describe.each([
  ['cross', cross],
  ['self', self],
] as const)('a bias on %s-attention', (place, bias) => {
  it('is the same in fused, plain and exported attention, and acts', async () => {
    const fused = await predict('fused', place, bias);
    expectClose(await predict('plain', place, bias), fused);
    expectClose(await predict('exported', place, bias), fused);
    const none = await predict('fused', place, (count) => {
      const { shape } = bias(count);
      return { data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape };
    });
    expect(Math.max(...fused.map((value, at) => Math.abs(value - (none[at] as number))))).toBeGreaterThan(1e-3);
  });

  it('is the same in runs of queries', async () => {
    const whole = await predict('fused', place, bias);
    for (const runs of [2, 3]) expectClose(await predict('fused', place, bias, runs), whole);
  });
});
