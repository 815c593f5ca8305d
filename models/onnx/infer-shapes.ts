import { intOf, intsOf, wholeNumbers } from './attributes.ts';
import { type DataType, type Dim, dataTypes, type Graph, type GraphNode } from './graph.ts';
import { SizeNames } from './sizes.ts';

/** What is known of a tensor before its graph runs. */
export interface TensorFacts {
  dtype: DataType;
  dims: readonly Dim[];
  /** Elements of a small int64 tensor that holds sizes, where they are known as numbers or names. */
  sizes?: readonly Dim[];
}

/**
 * Type and shape of every tensor of a graph that can be told without running it, by name. Sizes are followed through the
 * arithmetic on shapes, so that what is flattened and brought back has the sizes that it had. Tensors that come of an
 * operator that is not known here are left out, and with them what hangs on them.
 */
export function inferShapes(graph: Graph): Map<string, TensorFacts> {
  const inference = new Inference();
  for (const { name, dtype, dims } of graph.inputs) inference.facts.set(name, { dtype, dims });
  for (const initializer of graph.initializers.values()) {
    const { name, dtype, dims } = initializer;
    const numbers = dims.length <= 1 ? wholeNumbers(initializer) : null;
    inference.facts.set(name, { dtype, dims, ...(numbers ? { sizes: numbers } : {}) });
  }
  for (const node of graph.nodes) inference.node(node);
  return inference.facts;
}

class Inference {
  readonly facts = new Map<string, TensorFacts>();
  readonly names = new SizeNames();

  node(node: GraphNode): void {
    const shaped = shapes[node.op]?.(new Site(this, node));
    if (!shaped) return;
    for (const [index, facts] of shaped.entries()) {
      const output = node.outputs[index];
      if (output) this.facts.set(output, facts);
    }
  }
}

/** One node, as a rule of inference sees it. */
class Site {
  readonly node: GraphNode;
  readonly names: SizeNames;
  readonly #facts: ReadonlyMap<string, TensorFacts>;

  constructor({ facts, names }: Inference, node: GraphNode) {
    this.#facts = facts;
    this.names = names;
    this.node = node;
  }

  get(index: number): TensorFacts | null {
    return this.#facts.get(this.node.inputs[index] ?? '') ?? null;
  }

  /** All inputs that are given; null where one of them is not known. */
  all(): TensorFacts[] | null {
    const found = this.node.inputs.filter((name) => name !== '').map((name) => this.#facts.get(name) ?? null);
    return found.every((facts) => facts !== null) ? found : null;
  }

  /** Numbers of an int64 input or, in older opsets, attribute of that name; null where they are not known. */
  numbers(index: number, attribute?: string): readonly number[] | null {
    const old = attribute === undefined ? null : intsOf(this.node, attribute);
    const sizes = this.get(index)?.sizes;
    return old ?? (sizes?.every((size) => typeof size === 'number') ? sizes : null);
  }

  /** A size of its own for this node: nothing is known of it. */
  unknown(place: number | string): string {
    return this.names.atom(`${this.node.outputs[0]} ${place}`);
  }
}

type Rule = (site: Site) => TensorFacts[] | null;

const like: Rule = (site) => {
  const x = site.get(0);
  return x && [{ dtype: x.dtype, dims: x.dims }];
};

const broadcast = (result?: DataType): Rule => {
  return (site) => {
    const inputs = site.all();
    const first = inputs?.[0];
    if (!inputs || !first) return null;
    const dims = inputs.map((facts) => facts.dims).reduce((a, b) => broadcastDims(a, b, site.names));
    return [{ dtype: result ?? first.dtype, dims, ...arithmetic(site, inputs) }];
  };
};

function broadcastDims(a: readonly Dim[], b: readonly Dim[], names: SizeNames): Dim[] {
  const rank = Math.max(a.length, b.length);
  const at = (dims: readonly Dim[], axis: number) => dims[axis - rank + dims.length] ?? 1;
  return Array.from({ length: rank }, (_, axis) => names.broadcast(at(a, axis), at(b, axis)));
}

/** Sizes that come of sums and products of sizes. */
function arithmetic({ node, names }: Site, inputs: readonly TensorFacts[]): { sizes?: Dim[] } {
  const [a, b] = inputs.map(({ sizes }) => sizes);
  if (!a || !b || inputs.length !== 2 || (a.length !== b.length && a.length !== 1 && b.length !== 1)) return {};
  const combine = (x: Dim, y: Dim): Dim => {
    if (node.op === 'Add') return names.sum([x, y]);
    if (node.op === 'Mul') return names.product([x, y]);
    if (typeof x === 'number' && typeof y === 'number') return node.op === 'Sub' ? x - y : Math.trunc(x / y);
    return names.atom(`${x} ${node.op} ${y}`);
  };
  if (!['Add', 'Sub', 'Mul', 'Div'].includes(node.op)) return {};
  const length = Math.max(a.length, b.length);
  const at = (sizes: readonly Dim[], index: number) => sizes[sizes.length === 1 ? 0 : index] as Dim;
  return { sizes: Array.from({ length }, (_, index) => combine(at(a, index), at(b, index))) };
}

/** An axis counted from the front. */
const fromFront = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

const reduce: Rule = (site) => {
  const x = site.get(0);
  if (!x) return null;
  const given = site.node.inputs[1] || site.node.attributes.axes;
  const axes = given ? site.numbers(1, 'axes')?.map((axis) => fromFront(axis, x.dims.length)) : x.dims.keys().toArray();
  if (!axes) return null;
  const keep = intOf(site.node, 'keepdims', 1) === 1;
  const dims = x.dims.flatMap((size, axis) => (axes.includes(axis) ? (keep ? [1] : []) : [size]));
  return [{ dtype: x.dtype, dims }];
};

const convolution: Rule = (site) => {
  const [x, weight] = [site.get(0), site.get(1)];
  if (!x || !weight) return null;
  const { node, names } = site;
  const rank = x.dims.length - 2;
  const each = (name: string, otherwise: number) => intsOf(node, name) ?? new Array(2 * rank).fill(otherwise);
  const [strides, dilations, pads] = [each('strides', 1), each('dilations', 1), each('pads', 0)];
  const spatial = x.dims.slice(2).map((size, axis): Dim => {
    const kernel = weight.dims[axis + 2] as Dim;
    const [stride, dilation, before, after] = [strides[axis], dilations[axis], pads[axis], pads[axis + rank]];
    if (typeof kernel !== 'number') return site.unknown(axis);
    // What is lost at stride 1: nothing where the padding makes up for the kernel.
    const lost = dilation * (kernel - 1) - before - after;
    if (typeof size === 'number') return Math.floor((size - lost - 1) / stride) + 1;
    return lost === 0 && stride === 1 ? size : names.atom(`(${size} - ${lost}) by ${stride}`);
  });
  return [{ dtype: x.dtype, dims: [x.dims[0] as Dim, weight.dims[0] as Dim, ...spatial] }];
};

const shapes: Record<string, Rule> = {
  Identity: (site) => {
    const x = site.get(0);
    return x && [x];
  },
  Cast: (site) => {
    const x = site.get(0);
    const to = intOf(site.node, 'to', 0);
    const dtype = (Object.keys(dataTypes) as DataType[]).find((name) => dataTypes[name] === to);
    return x && dtype ? [{ ...x, dtype }] : null;
  },
  Shape: (site) => {
    const x = site.get(0);
    if (!x) return null;
    const sizes = x.dims.slice(
      intOf(site.node, 'start', 0),
      site.node.attributes.end ? intOf(site.node, 'end', 0) : undefined,
    );
    return [{ dtype: 'int64', dims: [sizes.length], sizes }];
  },
  Size: (site) => {
    const x = site.get(0);
    return x && [{ dtype: 'int64', dims: [], sizes: [site.names.product(x.dims)] }];
  },
  Gemm: (site) => {
    const [a, b] = [site.get(0), site.get(1)];
    if (!a || !b) return null;
    const rows = a.dims[intOf(site.node, 'transA', 0)] as Dim;
    const columns = b.dims[1 - intOf(site.node, 'transB', 0)] as Dim;
    return [{ dtype: a.dtype, dims: [rows, columns] }];
  },
  MatMul: (site) => {
    const [a, b] = [site.get(0), site.get(1)];
    if (!a || !b || a.dims.length < 2 || b.dims.length < 2) return null;
    const batch = broadcastDims(a.dims.slice(0, -2), b.dims.slice(0, -2), site.names);
    return [{ dtype: a.dtype, dims: [...batch, a.dims.at(-2) as Dim, b.dims.at(-1) as Dim] }];
  },
  Conv: convolution,
  MultiHeadAttention: (site) => {
    const [q, v] = [site.get(0), site.get(2)];
    if (q?.dims.length !== 3 || v?.dims.length !== 3) return null;
    return [{ dtype: q.dtype, dims: [...q.dims.slice(0, 2), v.dims[2] as Dim] }];
  },
  Reshape: (site) => {
    const [x, to] = [site.get(0), site.get(1)];
    const rank = to?.dims[0];
    if (!x || typeof rank !== 'number') return null;
    const asked = to?.sizes ?? Array.from({ length: rank }, (_, axis) => site.unknown(axis));
    const kept = asked.map((size, axis) => (size === 0 ? (x.dims[axis] as Dim) : size));
    const rest = kept.indexOf(-1);
    if (rest >= 0) kept[rest] = site.names.quotient(x.dims, kept.toSpliced(rest, 1));
    return [{ ...x, dims: kept }];
  },
  Transpose: (site) => {
    const x = site.get(0);
    if (!x) return null;
    const order = intsOf(site.node, 'perm') ?? x.dims.keys().toArray().reverse();
    return [{ dtype: x.dtype, dims: order.map((axis) => x.dims[axis] as Dim) }];
  },
  Unsqueeze: (site) => {
    const [x, axes] = [site.get(0), site.numbers(1, 'axes')];
    if (!x || !axes) return null;
    const dims = [...x.dims];
    const rank = dims.length + axes.length;
    for (const axis of axes.map((axis) => fromFront(axis, rank)).sort((a, b) => a - b)) dims.splice(axis, 0, 1);
    return [{ ...x, dims }];
  },
  Squeeze: (site) => {
    const [x, axes] = [site.get(0), site.numbers(1, 'axes')];
    if (!x) return null;
    if (!axes) return site.node.inputs[1] ? null : [{ ...x, dims: x.dims.filter((size) => size !== 1) }];
    const gone = axes.map((axis) => fromFront(axis, x.dims.length));
    return [{ ...x, dims: x.dims.filter((_, axis) => !gone.includes(axis)) }];
  },
  Flatten: (site) => {
    const x = site.get(0);
    if (!x) return null;
    const axis = fromFront(intOf(site.node, 'axis', 1), x.dims.length);
    const { names } = site;
    return [{ dtype: x.dtype, dims: [names.product(x.dims.slice(0, axis)), names.product(x.dims.slice(axis))] }];
  },
  Concat: (site) => {
    const inputs = site.all();
    const first = inputs?.[0];
    if (!inputs || !first) return null;
    const axis = fromFront(intOf(site.node, 'axis', 0), first.dims.length);
    const total = site.names.sum(inputs.map(({ dims }) => dims[axis] as Dim));
    const sizes = inputs.every((facts) => facts.sizes) ? { sizes: inputs.flatMap((facts) => facts.sizes ?? []) } : {};
    return [{ dtype: first.dtype, dims: first.dims.with(axis, total), ...sizes }];
  },
  Split: (site) => {
    const x = site.get(0);
    if (!x) return null;
    const axis = fromFront(intOf(site.node, 'axis', 0), x.dims.length);
    const count = site.node.outputs.length;
    const parts = site.numbers(1, 'split');
    const size = (index: number): Dim =>
      parts?.[index] ??
      (site.node.inputs[1] ? site.unknown(index) : site.names.quotient([x.dims[axis] as Dim], [count]));
    return site.node.outputs.map((_, index) => ({ dtype: x.dtype, dims: x.dims.with(axis, size(index)) }));
  },
  Slice: (site) => {
    const x = site.get(0);
    const [starts, ends, axes, steps] = [1, 2, 3, 4].map((index) => site.numbers(index));
    if (!x) return null;
    const known = axes ?? (site.node.inputs[3] ? null : (starts?.keys().toArray() ?? null));
    if (!known) return null;
    const dims = [...x.dims];
    const range = (at: number): [start: number, end: number] | null => {
      const size = x.dims[fromFront(known[at] as number, x.dims.length)];
      const [start, end] = [starts?.[at], ends?.[at]];
      if (start === undefined || end === undefined || typeof size !== 'number' || (steps?.[at] ?? 1) !== 1) return null;
      const clamp = (place: number) => Math.min(Math.max(fromFront(place, size), 0), size);
      return [clamp(start), clamp(end)];
    };
    for (const [at, axis] of known.entries()) {
      const found = range(at);
      dims[fromFront(axis, dims.length)] = found ? Math.max(found[1] - found[0], 0) : site.unknown(axis);
    }
    const one = x.sizes && range(0);
    return [{ dtype: x.dtype, dims, ...(one ? { sizes: x.sizes?.slice(...one) ?? [] } : {}) }];
  },
  Gather: (site) => {
    const [x, indices] = [site.get(0), site.get(1)];
    if (!x || !indices) return null;
    const axis = fromFront(intOf(site.node, 'axis', 0), x.dims.length);
    const dims = [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)];
    const wanted = site.numbers(1);
    const sizes = x.sizes && wanted ? { sizes: wanted.map((index) => x.sizes?.at(index) as Dim) } : {};
    return [{ dtype: x.dtype, dims, ...sizes }];
  },
  Expand: (site) => {
    const [x, to] = [site.get(0), site.get(1)];
    return x && to?.sizes ? [{ dtype: x.dtype, dims: broadcastDims(x.dims, to.sizes, site.names) }] : null;
  },
  ConstantOfShape: (site) => {
    const to = site.get(0);
    return to?.sizes ? [{ dtype: 'float', dims: to.sizes }] : null;
  },
  Resize: (site) => {
    const [x, sizes] = [site.get(0), site.get(3)?.sizes];
    if (!x) return null;
    return [{ dtype: x.dtype, dims: sizes ?? x.dims.map((size, axis) => (axis < 2 ? size : site.unknown(axis))) }];
  },
  Where: (site) => {
    const [condition, yes, no] = [site.get(0), site.get(1), site.get(2)];
    if (!condition || !yes || !no) return null;
    const dims = [yes.dims, no.dims].reduce((a, b) => broadcastDims(a, b, site.names), condition.dims);
    return [{ dtype: yes.dtype, dims }];
  },
};

for (const op of ['Sigmoid', 'Tanh', 'Sin', 'Cos', 'Exp', 'Log', 'Erf', 'Sqrt', 'Neg', 'Abs', 'Reciprocal']) {
  shapes[op] = like;
}
for (const op of ['Gelu', 'QuickGelu', 'Softmax', 'InstanceNormalization', 'LayerNormalization']) shapes[op] = like;
for (const op of ['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Sum', 'Min', 'Max']) shapes[op] = broadcast();
for (const op of ['Equal', 'Greater', 'Less', 'GreaterOrEqual', 'LessOrEqual', 'And', 'Or'])
  shapes[op] = broadcast('bool');
for (const op of ['ReduceMean', 'ReduceSum', 'ReduceMax', 'ReduceMin']) shapes[op] = reduce;
