import type { Value } from '../onnx/builder.ts';
import { add, mul, reshape, reshapeTo, shapeOf } from '../onnx/ops.ts';

/**
 * GroupNorm over [B, C, H, W] with the current module's `weight` and `bias` [C].
 *
 * By InstanceNormalization over [B, groups, C/groups*H*W], then scale and shift: the form that every provider has and
 * the fastest and most exact of those measured on a CPU.
 */
export function groupNorm(x: Value, groups: number, epsilon: number): Value {
  const g = x.graph;
  const channels = x.shape[1] as number;
  const grouped = reshape(x, [0, groups, -1], [x.shape[0] ?? 'batch', groups, 'group'], 'group');
  const ones = g.floats(new Float32Array(groups).fill(1), [groups]);
  const zeros = g.floats(new Float32Array(groups), [groups]);
  const normed = g.node({
    op: 'InstanceNormalization',
    inputs: [grouped, ones, zeros],
    shape: grouped.shape,
    attributes: { epsilon: { type: 'float', value: epsilon } },
  });
  const back = reshapeTo(normed, shapeOf(x), x.shape, 'ungroup');
  return add(mul(back, g.weight('weight', [channels, 1, 1]), 'scale'), g.weight('bias', [channels, 1, 1]), 'shift');
}

/** LayerNorm over the last axis with the current module's `weight` and `bias`. */
export function layerNorm(x: Value, epsilon: number): Value {
  const g = x.graph;
  return g.node({
    op: 'LayerNormalization',
    inputs: [x, g.weight('weight'), g.weight('bias')],
    shape: x.shape,
    attributes: { axis: { type: 'int', value: -1 }, epsilon: { type: 'float', value: epsilon } },
  });
}
