import type { Value } from '../onnx/builder.ts';
import type { Dim } from '../onnx/graph.ts';

export interface ConvOptions {
  stride?: number;
  /** [top, left, bottom, right] in pixels; omitted: half the kernel on each side. */
  padding?: readonly [number, number, number, number];
}

/** 2D convolution with the current module's `weight` [out, in, k, k] and `bias`: [B, in, H, W] -> [B, out, H', W']. */
export function conv2d(x: Value, options: ConvOptions = {}): Value {
  const g = x.graph;
  const stored = g.weightRef('weight').shape;
  // A Linear's weight [out, in] is a 1x1 convolution's, byte for byte.
  const dims = stored.length === 2 ? [stored[0] as number, stored[1] as number, 1, 1] : undefined;
  const weight = g.weight('weight', dims);
  const [out, , kernel] = weight.shape as number[] as [number, number, number];
  const half = (kernel - 1) >> 1;
  const stride = options.stride ?? 1;
  const [height, width] = x.shape.slice(2) as [Dim, Dim];
  const scaled = (size: Dim) => (stride === 1 ? size : `${size}/${stride}`);
  return g.node({
    op: 'Conv',
    inputs: g.hasWeight('bias') ? [x, weight, g.weight('bias')] : [x, weight],
    shape: [x.shape[0] as Dim, out, scaled(height), scaled(width)],
    attributes: {
      kernel_shape: { type: 'ints', value: [kernel, kernel] },
      strides: { type: 'ints', value: [stride, stride] },
      pads: { type: 'ints', value: options.padding ?? [half, half, half, half] },
    },
  });
}
