import { intOf, intsOf } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { cast, div, expand, shapeOf, unsqueeze } from '../../onnx/ops.ts';
import type { Application, Rule } from '../rule.ts';

/** Sums and means over axes, and their opposite. */

/** The number of elements of a tensor, a scalar in its own type. */
function countOf(x: Value): Value {
  const size = x.graph.node({ op: 'Size', inputs: [x], label: 'size', shape: [], dtype: 'int64' });
  return cast(size, x.dtype);
}

/** The cotangent repeated along the axes that are gone. */
function spread(of: Application, cotangent: Value): Value {
  const x = of.input();
  const given = intsOf(of.node, 'axes') ?? of.numbers(1) ?? [...x.shape.keys()];
  const axes = given.map((axis) => (axis < 0 ? axis + x.shape.length : axis)).sort((a, b) => a - b);
  const kept = intOf(of.node, 'keepdims', 1) === 1 ? cotangent : unsqueeze(cotangent, axes);
  return expand(kept, shapeOf(x), x.shape);
}

export const reductionRules: Record<string, Rule> = {
  Expand: (of) => [() => of.cotangent],
  ReduceSum: (of) => [() => spread(of, of.cotangent)],
  ReduceMean: (of) => [() => spread(of, div(of.cotangent, div(countOf(of.input()), countOf(of.output()))))],
};
