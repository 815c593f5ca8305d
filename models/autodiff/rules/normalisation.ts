import { floatOf, intOf } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { add, mul, numberLike, reciprocal, reduceMean, reduceSum, reshape, sqrt, sub } from '../../onnx/ops.ts';
import type { Application, Rule } from '../rule.ts';

/** Operators that bring elements to mean 0 and variance 1, or to sum 1, over some axes. */

interface Normalised {
  /** (x - mean) / deviation */
  value: Value;
  /** 1 / deviation */
  scale: Value;
}

/** Written again from the input: the forward operators keep their statistics to themselves. */
function normalise(x: Value, axes: readonly number[], epsilon: number): Normalised {
  const centred = sub(x, reduceMean(x, axes));
  const variance = reduceMean(mul(centred, centred), axes);
  const scale = reciprocal(sqrt(add(variance, numberLike(x, epsilon))));
  return { value: mul(centred, scale), scale };
}

/**
 * To the input, of the cotangent c of the normalised values n: (c - mean(c) - n mean(c n)) / deviation. What is taken
 * away are the parts that shift and scale all elements alike, which normalisation does not let through.
 */
function throughNormalisation(c: Value, { value: n, scale }: Normalised, axes: readonly number[]): Value {
  const along = add(reduceMean(c, axes), mul(n, reduceMean(mul(c, n), axes)));
  return mul(sub(c, along), scale);
}

/** y = n scale + bias over the axes from `axis` on, scale and bias of these axes' sizes. */
function layerNormRule(of: Application): ReturnType<Rule> {
  const [x, scale, c] = [of.input(0), of.input(1), of.cotangent];
  const rank = x.shape.length;
  const first = intOf(of.node, 'axis', -1);
  const axes = x.shape
    .keys()
    .drop(first < 0 ? first + rank : first)
    .toArray();
  const n = normalise(x, axes, floatOf(of.node, 'epsilon', 1e-5));
  return [() => throughNormalisation(mul(c, scale), n, axes), () => mul(c, n.value), () => c];
}

/** y = n scale + bias over each channel's places, scale and bias [channels]. Group normalisation is written by it. */
function instanceNormRule(of: Application): ReturnType<Rule> {
  const [x, scale, c] = [of.input(0), of.input(1), of.cotangent];
  const axes = x.shape.keys().drop(2).toArray();
  const n = normalise(x, axes, floatOf(of.node, 'epsilon', 1e-5));
  const spread = () => reshape(scale, [-1, ...axes.map(() => 1)], [...scale.shape, ...axes.map(() => 1)]);
  const perChannel = (value: Value) => reshape(reduceSum(value, [0, ...axes]), [-1], scale.shape);
  return [
    () => throughNormalisation(mul(c, spread()), n, axes),
    () => perChannel(mul(c, n.value)),
    () => perChannel(c),
  ];
}

/** To the logits, of the cotangent c of the weights y: y (c - sum(c y)). */
export function throughSoftmax(c: Value, y: Value, axis: number): Value {
  return mul(y, sub(c, reduceSum(mul(c, y), [axis])));
}

function softmaxRule(of: Application): ReturnType<Rule> {
  const y = of.output();
  const axis = intOf(of.node, 'axis', -1);
  return [() => throughSoftmax(of.cotangent, y, axis < 0 ? axis + y.shape.length : axis)];
}

export const normalisationRules: Record<string, Rule> = {
  LayerNormalization: layerNormRule,
  InstanceNormalization: instanceNormRule,
  Softmax: softmaxRule,
};
