import { intOf, intsOf } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { concat, shapeOf, transpose, zerosLike } from '../../onnx/ops.ts';
import { reshapeLike } from '../broadcast.ts';
import type { Application, Rule } from '../rule.ts';

/** Operators that move elements and leave none out. */

const reshaped: Rule = (of) => [() => reshapeLike(of.cotangent, of.input())];

function transposeRule(of: Application): ReturnType<Rule> {
  const order = intsOf(of.node, 'perm') ?? of.input().shape.keys().toArray().reverse();
  return [
    () =>
      transpose(
        of.cotangent,
        order
          .keys()
          .toArray()
          .map((axis) => order.indexOf(axis)),
      ),
  ];
}

const fromFront = (axis: number, x: Value): number => (axis < 0 ? axis + x.shape.length : axis);

/** The size of an axis, int64 [1]. */
const sizeOf = (x: Value, axis: number): Value => shapeOf(x, axis, axis + 1);

/** Each input takes its part of the cotangent. */
function concatRule(of: Application): ReturnType<Rule> {
  const inputs = of.node.inputs.map((_, index) => of.input(index));
  const { cotangent } = of;
  const g = cotangent.graph;
  const axis = fromFront(intOf(of.node, 'axis', 0), cotangent);
  const parts = g.nodes(
    {
      op: 'Split',
      inputs: [
        cotangent,
        concat(
          inputs.map((input) => sizeOf(input, axis)),
          0,
          'sizes',
        ),
      ],
      label: 'split',
      dtype: cotangent.dtype,
      attributes: { axis: { type: 'int', value: axis } },
    },
    inputs.map(({ shape }) => shape),
  );
  return parts.map((part) => () => part);
}

function splitRule(of: Application): ReturnType<Rule> {
  const parts = of.node.outputs.map((_, index) => of.cotangentOf(index) ?? zerosLike(of.output(index)));
  const axis = fromFront(intOf(of.node, 'axis', 0), of.input());
  return [() => concat(parts, axis)];
}

export const layoutRules: Record<string, Rule> = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: transposeRule,
  Concat: concatRule,
  Split: splitRule,
};
