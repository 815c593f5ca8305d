import { GraphBuilder, type Value } from '../../onnx/builder.ts';
import type { Attribute, Dim, Graph } from '../../onnx/graph.ts';
import { inferShapes } from '../../onnx/infer-shapes.ts';

/** One small graph for each operator that has a rule, in each form that its rule tells apart. */
export interface RuleCase {
  name: string;
  op: string;
  /** Shapes of the inputs that are differentiated by, as a run has them. */
  inputs: Readonly<Record<string, readonly number[]>>;
  /** Inputs are above zero. */
  positive?: boolean;
  graph(): Graph;
}

interface Form {
  inputs: Readonly<Record<string, readonly number[]>>;
  /** Sizes as the graph declares them; omitted: a name for each. */
  dims?: Readonly<Record<string, readonly Dim[]>>;
  attributes?: Record<string, Attribute>;
  /** Inputs that are given after those above and not differentiated by. */
  constants?: (g: GraphBuilder) => (Value | null)[];
  outputs?: number;
  domain?: string;
  positive?: boolean;
}

const int = (value: number): Attribute => ({ type: 'int', value });
const ints = (...value: number[]): Attribute => ({ type: 'ints', value });
const float = (value: number): Attribute => ({ type: 'float', value });
const int64 = (...values: number[]) => {
  return (g: GraphBuilder) => [g.constant('int64', values, [values.length])];
};

const unary: Form = { inputs: { x: [2, 3] } };
const x2345: Form['inputs'] = { x: [2, 3, 4, 5] };
const nearest: Record<string, Attribute> = {
  mode: { type: 'string', value: 'nearest' },
  coordinate_transformation_mode: { type: 'string', value: 'asymmetric' },
  nearest_mode: { type: 'string', value: 'floor' },
};
const conv = (stride: number, pads: number[], dilation = 1): Record<string, Attribute> => ({
  strides: ints(stride, stride),
  pads: ints(...pads),
  dilations: ints(dilation, dilation),
});

const forms: Record<string, Record<string, Form>> = {
  Identity: { '': unary },
  Cast: { '': { ...unary, attributes: { to: int(1) } } },
  Neg: { '': unary },
  Exp: { '': unary },
  Log: { '': { ...unary, positive: true } },
  Sqrt: { '': { ...unary, positive: true } },
  Reciprocal: { '': { ...unary, positive: true } },
  Sin: { '': unary },
  Cos: { '': unary },
  Tanh: { '': unary },
  Erf: { '': unary },
  Sigmoid: { '': unary },
  Gelu: { '': { ...unary, domain: 'com.microsoft' } },
  Add: {
    'of equal shapes': { inputs: { a: [2, 3], b: [2, 3] }, dims: { a: ['m', 'n'], b: ['m', 'n'] } },
    'broadcast along known axes': { inputs: { a: [2, 3, 4], b: [3, 1] }, dims: { a: ['m', 'n', 4], b: ['n', 1] } },
    'broadcast along axes found when it runs': { inputs: { a: [2, 3, 4], b: [1, 3, 1] } },
    'broadcast both ways': { inputs: { a: [2, 1, 4], b: [3, 1] } },
  },
  Sub: { 'broadcast when it runs': { inputs: { a: [2, 3], b: [1, 3] } } },
  Mul: { 'broadcast when it runs': { inputs: { a: [2, 1], b: [4, 2, 3] } } },
  Div: { 'broadcast when it runs': { inputs: { a: [2, 3], b: [3] }, positive: true } },
  Sum: { 'of three': { inputs: { a: [2, 3], b: [1, 3], c: [2, 1] } } },
  Pow: { 'of both': { inputs: { x: [2, 3], exponent: [1, 3] }, positive: true } },
  Gemm: {
    plain: { inputs: { a: [2, 3], b: [3, 4] } },
    'with a bias': { inputs: { a: [2, 3], b: [4, 3], c: [4] }, attributes: { transB: int(1) } },
    'turned and scaled': {
      inputs: { a: [3, 2], b: [4, 3], c: [2, 4] },
      attributes: { transA: int(1), transB: int(1), alpha: float(0.5), beta: float(-2) },
    },
    'of a turned left side': { inputs: { a: [3, 2], b: [3, 4] }, attributes: { transA: int(1) } },
  },
  MatMul: {
    plain: { inputs: { a: [2, 3], b: [3, 4] } },
    batched: { inputs: { a: [2, 3, 4], b: [2, 4, 5] } },
    'with one right side for all': { inputs: { a: [2, 3, 4], b: [4, 5] } },
    'with one left side for all': { inputs: { a: [3, 4], b: [2, 2, 4, 5] } },
    'broadcast when it runs': { inputs: { a: [1, 2, 3, 4], b: [3, 1, 4, 2] } },
  },
  Conv: {
    'of 3x3': {
      inputs: { ...x2345, w: [2, 3, 3, 3], b: [2] },
      dims: { x: ['n', 3, 'h', 'w'], w: [2, 3, 3, 3], b: [2] },
      attributes: conv(1, [1, 1, 1, 1]),
    },
    'of 1x1': { inputs: { ...x2345, w: [2, 3, 1, 1] }, dims: { x: ['n', 3, 'h', 'w'], w: ['o', 3, 1, 1] } },
    'with stride 2 on even and odd sides': {
      inputs: { ...x2345, w: [2, 3, 3, 3] },
      dims: { x: ['n', 3, 'h', 'w'], w: ['o', 3, 3, 3] },
      attributes: conv(2, [1, 1, 1, 1]),
    },
    'padded at the end only': { inputs: { ...x2345, w: [2, 3, 3, 3] }, attributes: conv(2, [0, 0, 1, 1]) },
    'with stride 3, dilated': { inputs: { x: [1, 2, 8, 9], w: [2, 2, 2, 3] }, attributes: conv(3, [1, 0, 0, 2], 2) },
    'of one axis': { inputs: { x: [2, 3, 7], w: [2, 3, 3] }, attributes: { pads: ints(1, 1) } },
  },
  Softmax: {
    'over the last axis': unary,
    'over another': { inputs: { x: [2, 3, 4] }, attributes: { axis: int(1) } },
  },
  LayerNormalization: {
    '': { inputs: { x: [2, 3, 4], scale: [4], bias: [4] }, attributes: { axis: int(-1), epsilon: float(0.01) } },
    'over two axes': { inputs: { x: [2, 3, 4], scale: [3, 4], bias: [3, 4] }, attributes: { axis: int(1) } },
  },
  InstanceNormalization: {
    'over one axis': { inputs: { x: [2, 3, 6], scale: [3], bias: [3] }, attributes: { epsilon: float(0.01) } },
    'over two': { inputs: { x: [2, 3, 4, 2], scale: [3], bias: [3] } },
  },
  MultiHeadAttention: {
    'of two heads': {
      inputs: { q: [2, 3, 4], k: [2, 5, 4], v: [2, 5, 4] },
      dims: { q: ['rows', 'n', 4], k: ['rows', 'm', 4], v: ['rows', 'm', 4] },
      attributes: { num_heads: int(2) },
    },
    'with a bias for all rows and heads': {
      inputs: { q: [2, 3, 4], k: [2, 5, 4], v: [2, 5, 6], bias: [1, 1, 3, 5] },
      dims: { q: ['rows', 'n', 4], k: ['rows', 'm', 4], v: ['rows', 'm', 6] },
      attributes: { num_heads: int(2) },
    },
  },
  Reshape: { '': { inputs: { x: [2, 3, 4] }, constants: int64(0, -1) } },
  Flatten: { '': { inputs: { x: [2, 3, 4] } } },
  Squeeze: { '': { inputs: { x: [2, 1, 3] }, dims: { x: ['m', 1, 'n'] }, constants: int64(1) } },
  Unsqueeze: { '': { inputs: { x: [2, 3] }, constants: int64(1, 3) } },
  Transpose: { '': { inputs: { x: [2, 3, 4] }, attributes: { perm: ints(2, 0, 1) } } },
  Concat: { '': { inputs: { a: [2, 3], b: [2, 1], c: [2, 2] }, attributes: { axis: int(-1) } } },
  Split: {
    'all parts read': { inputs: { x: [2, 5] }, outputs: 2, attributes: { axis: int(1) }, constants: int64(2, 3) },
    'in equal parts': { inputs: { x: [4, 3] }, outputs: 2 },
  },
  Slice: {
    'of the front': { inputs: { x: [5, 3] }, constants: (g) => [...int64(1)(g), ...int64(4)(g)] },
    'from the back, of two axes': {
      inputs: { x: [2, 5, 4] },
      constants: (g) => [...int64(-3, 1)(g), ...int64(9999, -1)(g), ...int64(1, -1)(g)],
    },
  },
  Gather: {
    'of rows, some more than once': { inputs: { x: [5, 3] }, constants: int64(4, 1, 1) },
    'along another axis': {
      inputs: { x: [2, 5, 3] },
      attributes: { axis: int(1) },
      constants: (g) => [g.constant('int64', [0, 3, -1, 3], [2, 2])],
    },
  },
  Resize: {
    'to twice the size': {
      inputs: x2345,
      attributes: nearest,
      constants: (g) => [null, g.constant('float', [1, 1, 2, 2], [4])],
    },
    'to odd sides': { inputs: x2345, attributes: nearest, constants: (g) => [null, null, ...int64(2, 3, 7, 9)(g)] },
    'to smaller sides': { inputs: x2345, attributes: nearest, constants: (g) => [null, null, ...int64(2, 3, 2, 3)(g)] },
  },
  Expand: {
    'along an axis of size 1': { inputs: { x: [2, 1, 3] }, dims: { x: ['m', 1, 'n'] }, constants: int64(2, 4, 3) },
    'by an axis before': { inputs: { x: [2, 3] }, constants: int64(4, 1, 1) },
  },
  ReduceSum: {
    'over one axis': { inputs: { x: [2, 3, 4] }, constants: int64(-2) },
    'over one axis that goes': { inputs: { x: [2, 3, 4] }, attributes: { keepdims: int(0) }, constants: int64(1) },
    'over all': { inputs: { x: [2, 3] } },
  },
  ReduceMean: {
    'over two axes': { inputs: { x: [2, 3, 4] }, attributes: { axes: ints(0, 2) } },
    'over axes that go': { inputs: { x: [2, 3, 4] }, attributes: { axes: ints(0, 2), keepdims: int(0) } },
  },
};

/** Where's condition is no number that could be differentiated by, so that its case is written by hand. */
const whereCase: RuleCase = {
  name: 'Where broadcast when it runs',
  op: 'Where',
  inputs: { a: [2, 3], b: [1, 3] },
  graph: () => {
    const g = new GraphBuilder('Where', new Map());
    const [a, b] = [g.input('a', 'float', ['p', 'q']), g.input('b', 'float', ['r', 's'])];
    const condition = g.constant('bool', [1, 0, 1], [3]);
    const y = g.node({ op: 'Where', inputs: [condition, a, b], label: 'where', shape: ['p', 'q'], dtype: 'float' });
    g.output('y', y);
    return g.graph;
  },
};

function graphOf(op: string, form: Form): Graph {
  const g = new GraphBuilder(op, new Map());
  const given = Object.entries(form.inputs).map(([name, shape]) => {
    return g.input(name, 'float', form.dims?.[name] ?? shape.map((_, axis) => `${name}${axis}`));
  });
  // The bias is the sixth input of attention.
  const inputs = op === 'MultiHeadAttention' && given[3] ? [...given.slice(0, 3), null, null, given[3]] : given;
  const [first] = given as [Value];
  const parts = g.nodes(
    {
      op,
      inputs: [...inputs, ...(form.constants?.(g) ?? [])],
      label: 'it',
      attributes: form.attributes ?? {},
      ...(form.domain || op === 'MultiHeadAttention' ? { domain: 'com.microsoft' } : {}),
    },
    Array.from({ length: form.outputs ?? 1 }, () => first.shape),
  );
  // Of several outputs the last is read alone: the others have no cotangent.
  const y = parts.at(-1) as Value;
  g.output('y', { ...y, shape: inferShapes(g.graph).get(y.name)?.dims ?? [] });
  return g.graph;
}

export const ruleCases: readonly RuleCase[] = [
  whereCase,
  ...Object.entries(forms).flatMap(([op, byName]) =>
    Object.entries(byName).map(([name, form]) => ({
      name: `${op} ${name}`.trim(),
      op,
      inputs: form.inputs,
      ...(form.positive ? { positive: true } : {}),
      graph: () => graphOf(op, form),
    })),
  ),
];
