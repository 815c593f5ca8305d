import type { Value } from './builder.ts';
import type { DataType, Dim } from './graph.ts';
import { dataTypes } from './graph.ts';

/** ONNX operators as functions over values. Shapes in the comments; `...` is any leading dimensions. */

function broadcast(a: readonly Dim[], b: readonly Dim[]): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, index) => {
    const left = a[index - rank + a.length];
    const right = b[index - rank + b.length];
    if (left === undefined) return right as Dim;
    if (right === undefined || right === 1) return left;
    return left === 1 ? right : left;
  });
}

function elementwise(op: string) {
  return (a: Value, b: Value, label = op.toLowerCase()): Value =>
    a.graph.node({ op, inputs: [a, b], label, shape: broadcast(a.shape, b.shape) });
}

export const add = elementwise('Add');
export const sub = elementwise('Sub');
export const mul = elementwise('Mul');
export const div = elementwise('Div');

function unary(op: string) {
  return (x: Value, label = op.toLowerCase()): Value => x.graph.node({ op, inputs: [x], label, shape: x.shape });
}

export const sigmoid = unary('Sigmoid');
export const sin = unary('Sin');
export const cos = unary('Cos');
export const exp = unary('Exp');
export const log = unary('Log');
export const erf = unary('Erf');
export const sqrt = unary('Sqrt');
export const reciprocal = unary('Reciprocal');
export const neg = unary('Neg');

/** Gaussian error linear unit, exact (erf). ONNX Runtime's own operator: opset 17 has none. */
export function gelu(x: Value): Value {
  return x.graph.node({ op: 'Gelu', domain: 'com.microsoft', inputs: [x], label: 'gelu', shape: x.shape });
}

/** x * sigmoid(x); ONNX Runtime fuses the pair. */
export function silu(x: Value): Value {
  return mul(x, sigmoid(x), 'silu');
}

/** x * sigmoid(1.702 x), CLIP's activation. */
export function quickGelu(x: Value): Value {
  return mul(x, sigmoid(mul(x, x.graph.number(1.702))), 'quick_gelu');
}

export function cast(x: Value, to: DataType): Value {
  if (x.dtype === to) return x;
  return x.graph.node({
    op: 'Cast',
    inputs: [x],
    label: 'cast',
    shape: x.shape,
    dtype: to,
    attributes: { to: { type: 'int', value: dataTypes[to] } },
  });
}

/** One number in the type of `x`, a scalar. */
export function numberLike(x: Value, value: number): Value {
  return x.graph.memo(`number ${x.dtype} ${value}`, () => cast(x.graph.constant('float', [value], []), x.dtype));
}

/** [M, K] x [N, K] (+ [N]) -> [M, N]; with `weightIsTransposed` the weight's bytes hold [K, N]. */
export function gemm(x: Value, weight: Value, bias: Value | null, weightIsTransposed = false): Value {
  const width = weight.shape[weightIsTransposed ? 1 : 0] as Dim;
  return x.graph.node({
    op: 'Gemm',
    inputs: bias ? [x, weight, bias] : [x, weight],
    shape: [x.shape[0] as Dim, width],
    attributes: weightIsTransposed ? {} : { transB: { type: 'int', value: 1 } },
  });
}

/** Over the last two axes, those before them broadcast. */
export function matmul(a: Value, b: Value): Value {
  return a.graph.node({
    op: 'MatMul',
    inputs: [a, b],
    label: 'matmul',
    shape: [...broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)), a.shape.at(-2) as Dim, b.shape.at(-1) as Dim],
  });
}

export function softmax(x: Value): Value {
  return x.graph.node({
    op: 'Softmax',
    inputs: [x],
    label: 'softmax',
    shape: x.shape,
    attributes: { axis: { type: 'int', value: -1 } },
  });
}

function reducedShape(x: Value, axes: readonly number[]): Dim[] {
  return x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
}

/** Sum over axes, counted from the front, that stay with a size of 1. */
export function reduceSum(x: Value, axes: readonly number[]): Value {
  return x.graph.node({
    op: 'ReduceSum',
    inputs: [x, x.graph.constant('int64', axes, [axes.length])],
    label: 'sum',
    shape: reducedShape(x, axes),
  });
}

/** Mean over axes, counted from the front, that stay with a size of 1. */
export function reduceMean(x: Value, axes: readonly number[]): Value {
  const asInput = (x.graph.graph.opsets[''] ?? 0) >= 18;
  return x.graph.node({
    op: 'ReduceMean',
    inputs: asInput ? [x, x.graph.constant('int64', axes, [axes.length])] : [x],
    label: 'mean',
    shape: reducedShape(x, axes),
    attributes: asInput ? {} : { axes: { type: 'ints', value: axes } },
  });
}

/** Shape of a tensor, int64 [rank], or a run of it. */
export function shapeOf(x: Value, start = 0, end = x.shape.length): Value {
  return x.graph.memo(`shape ${x.name} ${start} ${end}`, () =>
    x.graph.node({
      op: 'Shape',
      inputs: [x],
      label: 'shape',
      shape: [end - start],
      dtype: 'int64',
      attributes: { start: { type: 'int', value: start }, end: { type: 'int', value: end } },
    }),
  );
}

/** Reshape to sizes of which 0 keeps the input's own and -1 takes what is left; `shape` is what results. */
export function reshape(x: Value, sizes: readonly number[], shape: readonly Dim[], label = 'reshape'): Value {
  return x.graph.node({
    op: 'Reshape',
    inputs: [x, x.graph.constant('int64', sizes, [sizes.length])],
    label,
    shape,
  });
}

/** Reshape to sizes that are known when the graph runs, int64 [rank]. */
export function reshapeTo(x: Value, sizes: Value, shape: readonly Dim[], label = 'reshape'): Value {
  return x.graph.node({ op: 'Reshape', inputs: [x, sizes], label, shape });
}

export function transpose(x: Value, order: readonly number[]): Value {
  return x.graph.node({
    op: 'Transpose',
    inputs: [x],
    label: 'transpose',
    shape: order.map((axis) => x.shape[axis] as Dim),
    attributes: { perm: { type: 'ints', value: order } },
  });
}

export function concat(values: readonly Value[], axis: number, label = 'concat'): Value {
  const first = values[0] as Value;
  const place = axis < 0 ? first.shape.length + axis : axis;
  const sizes = values.map((value) => value.shape[place] as Dim);
  const total = sizes.every((size) => typeof size === 'number') ? sizes.reduce((a, b) => a + b, 0) : sizes.join('+');
  return first.graph.node({
    op: 'Concat',
    inputs: values,
    label,
    shape: first.shape.map((size, index) => (index === place ? total : size)),
    attributes: { axis: { type: 'int', value: axis } },
  });
}

/** Halves along the last axis, whose size must be known and even. */
export function halves(x: Value): [Value, Value] {
  const width = x.shape[x.shape.length - 1];
  if (typeof width !== 'number' || width % 2 !== 0) throw new Error(`cannot halve ${x.name} of width ${width}`);
  const shape = [...x.shape.slice(0, -1), width / 2];
  const split = x.graph.constant('int64', [width / 2, width / 2], [2]);
  const [first, second] = x.graph.nodes(
    {
      op: 'Split',
      inputs: [x, split],
      label: 'split',
      dtype: x.dtype,
      attributes: { axis: { type: 'int', value: -1 } },
    },
    [shape, shape],
  );
  return [first as Value, second as Value];
}

/** Rows of a table: [V, H] by [...] -> [..., H]. */
export function gather(table: Value, indices: Value, axis = 0): Value {
  return table.graph.node({
    op: 'Gather',
    inputs: [table, indices],
    label: 'gather',
    shape: [...table.shape.slice(0, axis), ...indices.shape, ...table.shape.slice(axis + 1)],
    dtype: table.dtype,
    attributes: { axis: { type: 'int', value: axis } },
  });
}

/** A new axis of size 1 at each place. */
export function unsqueeze(x: Value, axes: readonly number[]): Value {
  const shape = [...x.shape];
  for (const axis of axes) shape.splice(axis, 0, 1);
  return x.graph.node({
    op: 'Unsqueeze',
    inputs: [x, x.graph.constant('int64', axes, [axes.length])],
    label: 'unsqueeze',
    shape,
  });
}

export function where(condition: Value, yes: Value, no: Value): Value {
  return yes.graph.node({
    op: 'Where',
    inputs: [condition, yes, no],
    label: 'where',
    shape: no.shape,
    dtype: no.dtype,
  });
}

/** To a larger shape, int64 [rank], by repetition along axes of size 1. */
export function expand(x: Value, sizes: Value, shape: readonly Dim[]): Value {
  return x.graph.node({ op: 'Expand', inputs: [x, sizes], label: 'expand', shape });
}

/** Zeros of the shape of `x`. */
export function zerosLike(x: Value): Value {
  const zeros = x.graph.node({
    op: 'ConstantOfShape',
    inputs: [shapeOf(x)],
    label: 'zeros',
    shape: x.shape,
    dtype: 'float',
  });
  return cast(zeros, x.dtype);
}

/** 0, 1, 2, ... below `count`, int64 [1]: int64 [count]. */
export function ramp(count: Value, size: Dim): Value {
  const g = count.graph;
  const scalar = g.node({ op: 'Squeeze', inputs: [count, g.constant('int64', [0], [1])], label: 'count', shape: [] });
  const inputs = [g.constant('int64', [0], []), scalar, g.constant('int64', [1], [])];
  return g.node({ op: 'Range', inputs, label: 'ramp', shape: [size] });
}

/** The elements of a vector from `start` to before `end`, both int64 [1]. */
export function slice(vector: Value, start: Value, end: Value, size: Dim): Value {
  return vector.graph.node({ op: 'Slice', inputs: [vector, start, end], label: 'slice', shape: [size] });
}
