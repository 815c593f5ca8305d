import type { Value } from '../onnx/builder.ts';
import { add, silu, unsqueeze } from '../onnx/ops.ts';
import { conv2d } from './conv.ts';
import { linear } from './linear.ts';
import { groupNorm } from './norm.ts';

/**
 * Residual block (ResnetBlock2D): [B, in, H, W] -> [B, out, H, W].
 * @param embedding the timestep embedding [B, E] after its SiLU, or null where there is none (VAE)
 */
export function resnetBlock(x: Value, embedding: Value | null, options: { groups: number; epsilon: number }): Value {
  const g = x.graph;
  const normed = (value: Value, name: string) =>
    g.module(name, () => silu(groupNorm(value, options.groups, options.epsilon)));
  const normed1 = normed(x, 'norm1');
  let hidden = g.module('conv1', () => conv2d(normed1));
  if (embedding) {
    const shift = g.module('time_emb_proj', () => unsqueeze(linear(embedding), [2, 3]));
    hidden = add(hidden, shift, 'time');
  }
  const normed2 = normed(hidden, 'norm2');
  hidden = g.module('conv2', () => conv2d(normed2));
  const shortcut = g.module('conv_shortcut', () => (g.hasWeight('weight') ? conv2d(x) : x));
  return add(shortcut, hidden, 'residual');
}
