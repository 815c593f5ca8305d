import type { Value } from '../onnx/builder.ts';
import type { Dim } from '../onnx/graph.ts';
import { concat, reduceSum, reshapeTo, shapeOf } from '../onnx/ops.ts';

/**
 * Sums a cotangent over the axes along which `x` was broadcast to it, so that it has the shape of `x`: the transpose of
 * broadcasting. Where the names of two sizes do not tell whether they are equal, the graph finds out when it runs.
 */
export function sumTo(cotangent: Value, x: Value): Value {
  const extra = cotangent.shape.length - x.shape.length;
  const sizes: Dim[] = [...new Array<Dim>(extra).fill(1), ...x.shape];
  const differs = sizes.flatMap((size, axis) => (size === cotangent.shape[axis] ? [] : [axis]));
  if (differs.length === 0 && extra === 0) return cotangent;
  const known = differs.every((axis) => sizes[axis] === 1);
  const summed = known ? reduceSum(cotangent, differs) : sumWhereOne(cotangent, x, sizes);
  return extra === 0 ? { ...summed, shape: x.shape } : reshapeLike(summed, x);
}

/** Sums over the axes along which `x`, padded with ones at its front to `sizes`, turns out to be of size 1. */
function sumWhereOne(cotangent: Value, x: Value, sizes: readonly Dim[]): Value {
  const { graph: g } = x;
  const rank = sizes.length;
  const extra = rank - x.shape.length;
  const ones = g.constant('int64', new Array(extra).fill(1), [extra]);
  const padded = extra === 0 ? shapeOf(x) : concat([ones, shapeOf(x)], 0, 'padded');
  const shape = [rank];
  const one = g.constant('int64', [1], [1]);
  const isOne = g.node({ op: 'Equal', inputs: [padded, one], label: 'is_one', shape, dtype: 'bool' });
  const places = g.node({ op: 'NonZero', inputs: [isOne], label: 'places', shape: [1, 'axes'], dtype: 'int64' });
  const axes = g.node({
    op: 'Squeeze',
    inputs: [places, g.constant('int64', [0], [1])],
    label: 'axes',
    shape: ['axes'],
  });
  return g.node({
    op: 'ReduceSum',
    inputs: [cotangent, axes],
    label: 'sum',
    shape: sizes,
    attributes: { noop_with_empty_axes: { type: 'int', value: 1 } },
  });
}

/** The same elements in the shape of another tensor. */
export function reshapeLike(x: Value, like: Value): Value {
  return reshapeTo(x, shapeOf(like), like.shape);
}
