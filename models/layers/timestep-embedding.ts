import type { Value } from '../onnx/builder.ts';
import { add, cast, concat, cos, mul, silu, sin, unsqueeze } from '../onnx/ops.ts';
import { linear } from './linear.ts';

/**
 * Sinusoidal embedding (Vaswani et al. 2017; Ho et al. 2020): [N] -> [N, dim], in fp32 whatever the graph's
 * arithmetic, since half precision cannot tell neighbouring timesteps apart.
 * @param flipSinToCos cosines first, as Stable Diffusion has it
 * @param freqShift subtracted from dim/2 in the exponent's denominator
 */
export function sinusoidalEmbedding(
  steps: Value,
  dim: number,
  options: { flipSinToCos: boolean; freqShift: number },
): Value {
  const g = steps.graph;
  const half = Math.floor(dim / 2);
  const frequencies = Float32Array.from({ length: half }, (_, index) =>
    Math.exp((-Math.log(10000) * index) / (half - options.freqShift)),
  );
  const angles = mul(unsqueeze(steps, [1]), g.constant('float', frequencies, [1, half]), 'angles');
  const parts = options.flipSinToCos ? [cos(angles), sin(angles)] : [sin(angles), cos(angles)];
  const embedding = concat(parts, 1, 'sinusoid');
  return cast({ ...embedding, shape: [steps.shape[0] ?? 'batch', half * 2] }, g.compute);
}

/** linear_1, SiLU, linear_2 of the current module (TimestepEmbedding): [N, in] -> [N, out]. */
export function embeddingMlp(x: Value, condition: Value | null = null): Value {
  const g = x.graph;
  const input = condition
    ? add(
        x,
        g.module('cond_proj', () => linear(condition)),
        'condition',
      )
    : x;
  const hidden = silu(g.module('linear_1', () => linear(input)));
  return g.module('linear_2', () => linear(hidden));
}
