import { intOf, stringOf } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import type { Dim } from '../../onnx/graph.ts';
import {
  cast,
  concat,
  matmul,
  ramp,
  reshape,
  shapeOf,
  slice,
  sub,
  transpose,
  unsqueeze,
  zerosLike,
} from '../../onnx/ops.ts';
import type { Application, Rule } from '../rule.ts';
import { turned } from './products.ts';

/**
 * Operators that choose elements: some are left out, some may be taken more than once. Which they are is asked of the
 * same operator, applied to 0, 1, 2, ..., so that each of its modes and limits is met by itself.
 */

const sizeOf = (x: Value, axis: number): Value => shapeOf(x, axis, axis + 1);

/** Zeros come back where elements were left out. */
function sliceRule(of: Application): ReturnType<Rule> {
  const { cotangent } = of;
  const g = cotangent.graph;
  const [x, starts, ends] = [of.input(0), of.input(1), of.input(2)];
  const rank = x.shape.length;
  if (of.numbers(4)?.some((step) => step !== 1)) of.unsupported('step');
  const axes = of.numbers(3) ?? Array.from({ length: starts.shape[0] as number }, (_, axis) => axis);
  const at = (vector: Value, index: number) =>
    slice(vector, g.constant('int64', [index], [1]), g.constant('int64', [index + 1], [1]), 1);
  const toInput = () => {
    const before = new Array<Value>(rank).fill(g.constant('int64', [0], [1]));
    const after = [...before];
    for (const [index, signed] of axes.entries()) {
      const axis = signed < 0 ? signed + rank : signed;
      const places = ramp(sizeOf(x, axis), x.shape[axis] as Dim);
      const taken = slice(places, at(starts, index), at(ends, index), cotangent.shape[axis] as Dim);
      before[axis] = at(taken, 0);
      after[axis] = sub(sub(sizeOf(x, axis), before[axis]), sizeOf(cotangent, axis));
    }
    const pads = concat([...before, ...after], 0, 'pads');
    return g.node({ op: 'Pad', inputs: [cotangent, pads], label: 'pad', shape: x.shape });
  };
  return [toInput];
}

/** Rows of the cotangent are added up at the places that they were taken from. */
function gatherRule(of: Application): ReturnType<Rule> {
  const { cotangent } = of;
  const g = cotangent.graph;
  const [x, indices] = [of.input(0), of.input(1)];
  const signed = intOf(of.node, 'axis', 0);
  const axis = signed < 0 ? signed + x.shape.length : signed;
  const count = indices.shape.length;
  const toInput = () => {
    // The axes of the indices first, and then that of the input.
    const chosen = Array.from({ length: count }, (_, index) => axis + index);
    const others = [...cotangent.shape.keys()].filter((place) => !chosen.includes(place));
    const updates = transpose(cotangent, [...chosen, ...others]);
    const order = [axis, ...[...x.shape.keys()].filter((place) => place !== axis)];
    const sums = g.node({
      op: 'ScatterND',
      inputs: [transpose(zerosLike(x), order), unsqueeze(indices, [count]), updates],
      label: 'scatter',
      shape: order.map((place) => x.shape[place] as Dim),
      attributes: { reduction: { type: 'string', value: 'add' } },
    });
    return transpose(
      sums,
      [...order.keys()].map((place) => order.indexOf(place)),
    );
  };
  return [toInput];
}

/** Nearest neighbour over the last two axes of [B, C, H, W]: a product with a matrix of ones and zeros along each. */
function resizeRule(of: Application): ReturnType<Rule> {
  const { cotangent } = of;
  const [x, y] = [of.input(), of.output()];
  if (stringOf(of.node, 'mode', 'nearest') !== 'nearest') of.unsupported('mode');
  if (x.shape.length !== 4) of.unsupported('number of axes');
  return [() => matmul(matmul(turned(choices(of, x, y, 2)), cotangent), choices(of, x, y, 3))];
}

/** [out, in]: 1 where an element along an axis of the output is that of the input. */
function choices(of: Application, x: Value, y: Value, axis: number): Value {
  const g = x.graph;
  const [from, to] = [x.shape[axis] as Dim, y.shape[axis] as Dim];
  const ones = g.constant('int64', [1, 1, 1], [3]);
  const places = cast(ramp(sizeOf(x, axis), from), x.dtype);
  const chosen = g.node({
    op: 'Resize',
    inputs: [reshape(places, [1, 1, 1, -1], [1, 1, 1, from]), null, null, concat([ones, sizeOf(y, axis)], 0, 'sizes')],
    label: 'chosen',
    shape: [1, 1, 1, to],
    attributes: of.node.attributes,
  });
  const inputs = [reshape(chosen, [-1, 1], [to, 1]), places];
  return cast(g.node({ op: 'Equal', inputs, label: 'equal', shape: [to, from], dtype: 'bool' }), x.dtype);
}

export const selectionRules: Record<string, Rule> = { Slice: sliceRule, Gather: gatherRule, Resize: resizeRule };
