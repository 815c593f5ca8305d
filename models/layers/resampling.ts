import type { Value } from '../onnx/builder.ts';
import type { Dim } from '../onnx/graph.ts';
import { concat, shapeOf } from '../onnx/ops.ts';
import { conv2d } from './conv.ts';

/** Halves a picture by a strided convolution, padded by one on each side: [B, C, H, W] -> [B, C, ceil(H/2), ceil(W/2)]. */
export function downsample(x: Value): Value {
  return x.graph.module('conv', () => conv2d(x, { stride: 2 }));
}

/** As {@link downsample}, padded at the bottom and right only: the VAE encoder's. */
export function downsampleAsymmetric(x: Value): Value {
  return x.graph.module('conv', () => conv2d(x, { stride: 2, padding: [0, 0, 1, 1] }));
}

const nearest = {
  mode: { type: 'string', value: 'nearest' },
  coordinate_transformation_mode: { type: 'string', value: 'asymmetric' },
  nearest_mode: { type: 'string', value: 'floor' },
} as const;

/** Doubles a picture by nearest neighbour, then a convolution: [B, C, H, W] -> [B, C, 2H, 2W]. */
export function upsample(x: Value): Value {
  const g = x.graph;
  const [batch, channels, height, width] = x.shape as [Dim, Dim, Dim, Dim];
  const larger = g.node({
    op: 'Resize',
    label: 'resize',
    inputs: [x, null, g.constant('float', [1, 1, 2, 2], [4])],
    shape: [batch, channels, `2*${height}`, `2*${width}`],
    dtype: x.dtype,
    attributes: nearest,
  });
  return g.module('conv', () => conv2d(larger));
}

/**
 * As {@link upsample}, to the size of `like` [B, C', H', W']: where a side is odd, the way down has rounded up and
 * doubling would overshoot.
 */
export function upsampleTo(x: Value, like: Value): Value {
  const g = x.graph;
  const sizes = concat([shapeOf(x, 0, 2), shapeOf(like, 2, 4)], 0, 'sizes');
  const larger = g.node({
    op: 'Resize',
    label: 'resize',
    inputs: [x, null, null, sizes],
    shape: [...x.shape.slice(0, 2), ...like.shape.slice(2)],
    dtype: x.dtype,
    attributes: nearest,
  });
  return g.module('conv', () => conv2d(larger));
}
