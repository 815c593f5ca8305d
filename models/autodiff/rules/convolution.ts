import { intOf, intsOf, stringOf } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import type { Dim } from '../../onnx/graph.ts';
import { reduceSum, reshape, shapeOf, transpose } from '../../onnx/ops.ts';
import type { Application, Rule } from '../rule.ts';

/** Convolution over any number of spatial axes, one group. */

interface Geometry {
  strides: readonly number[];
  dilations: readonly number[];
  pads: readonly number[];
}

const swapFirstTwo = (x: Value): Value => transpose(x, [1, 0, ...x.shape.keys().drop(2)]);

/** The first `sizes` places, int64 [spatial], of each spatial axis. */
function crop(x: Value, sizes: Value, like: readonly Dim[]): Value {
  const g = x.graph;
  const axes = x.shape.keys().drop(2).toArray();
  return g.node({
    op: 'Slice',
    inputs: [
      x,
      g.constant('int64', new Array(axes.length).fill(0), [axes.length]),
      sizes,
      g.constant('int64', axes, [axes.length]),
    ],
    label: 'crop',
    shape: [...x.shape.slice(0, 2), ...like.slice(2)],
  });
}

/**
 * To the input, [B, out, H', W'] -> [B, in, H, W]: the transposed convolution, which takes the weight [out, in, k, k] as
 * it is. A stride loses up to stride - 1 places at the end, which are written and cut again.
 */
function toInput(of: Application, { strides, dilations, pads }: Geometry): Value {
  const [x, weight, cotangent] = [of.input(0), of.input(1), of.cotangent];
  const strided = strides.some((stride) => stride > 1);
  const whole = x.graph.node({
    op: 'ConvTranspose',
    inputs: [cotangent, weight],
    label: 'to_input',
    shape: x.shape,
    attributes: {
      strides: { type: 'ints', value: strides },
      dilations: { type: 'ints', value: dilations },
      pads: { type: 'ints', value: pads },
      ...(strided ? { output_padding: { type: 'ints', value: strides.map((stride) => stride - 1) } as const } : {}),
    },
  });
  return strided ? crop(whole, shapeOf(x, 2), x.shape) : whole;
}

/**
 * To the weight: the input convolved with the cotangent as a kernel, channels in the place of the batch, stride and
 * dilation changed over.
 */
function toWeight(of: Application, { strides, dilations, pads }: Geometry): Value {
  const [x, weight, cotangent] = [of.input(0), of.input(1), of.cotangent];
  const [out, width, ...kernel] = weight.shape as [Dim, Dim, ...Dim[]];
  const product = x.graph.node({
    op: 'Conv',
    inputs: [swapFirstTwo(x), swapFirstTwo(cotangent)],
    label: 'to_weight',
    shape: [width, out, ...kernel],
    attributes: {
      strides: { type: 'ints', value: dilations },
      dilations: { type: 'ints', value: strides },
      pads: { type: 'ints', value: pads },
    },
  });
  // Places of the input that a stride never read make the product larger than the kernel.
  const strided = strides.some((stride) => stride > 1);
  return swapFirstTwo(strided ? crop(product, shapeOf(weight, 2), weight.shape) : product);
}

function convRule(of: Application): ReturnType<Rule> {
  const { node } = of;
  if (intOf(node, 'group', 1) !== 1) of.unsupported('number of groups');
  if (stringOf(node, 'auto_pad', 'NOTSET') !== 'NOTSET') of.unsupported('padding');
  const spatial = of.input().shape.length - 2;
  const geometry = {
    strides: intsOf(node, 'strides') ?? new Array(spatial).fill(1),
    dilations: intsOf(node, 'dilations') ?? new Array(spatial).fill(1),
    pads: intsOf(node, 'pads') ?? new Array(2 * spatial).fill(0),
  };
  const places = [0, ...of.cotangent.shape.keys().drop(2)];
  return [
    () => toInput(of, geometry),
    () => toWeight(of, geometry),
    () => reshape(reduceSum(of.cotangent, places), [-1], [of.cotangent.shape[1] as Dim]),
  ];
}

export const convolutionRules: Record<string, Rule> = { Conv: convRule };
