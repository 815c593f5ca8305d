import { floatOf, intOf, intsOf, stringOf } from '../../onnx/attributes.ts';
import type { Graph, GraphNode, Initializer } from '../../onnx/graph.ts';

/**
 * Runs a small graph in float64, written from ONNX's operator definitions and sharing nothing with the rules: what finite
 * differences are taken of, which float32 is too coarse for. Slow, and for the operators that the rules know or write.
 */
export function evaluate(graph: Graph, feeds: Readonly<Record<string, NdArray>>): Map<string, NdArray> {
  const values = new Map<string, NdArray>(Object.entries(feeds));
  for (const initializer of graph.initializers.values()) values.set(initializer.name, constant(initializer));
  for (const node of graph.nodes) {
    const operator = operators[node.op];
    if (!operator) throw new Error(`${node.op} is not written in float64`);
    const inputs = node.inputs.map((name) => values.get(name));
    for (const [index, value] of [operator(inputs as NdArray[], node)].flat().entries()) {
      const output = node.outputs[index];
      if (output) values.set(output, value);
    }
  }
  return values;
}

/** Elements row by row; whole numbers and truth values as numbers. */
export interface NdArray {
  data: Float64Array;
  shape: readonly number[];
}

type Operator = (inputs: NdArray[], node: GraphNode) => NdArray | NdArray[];

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export function ndarray(shape: readonly number[], at: (index: number, place: number[]) => number): NdArray {
  const data = new Float64Array(sizeOf(shape));
  const place = new Array<number>(shape.length).fill(0);
  for (let index = 0; index < data.length; index++) {
    data[index] = at(index, place);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place[axis] = (place[axis] as number) + 1;
      if ((place[axis] as number) < (shape[axis] as number)) break;
      place[axis] = 0;
    }
  }
  return { data, shape };
}

const vector = (values: readonly number[]): NdArray => ({ data: Float64Array.from(values), shape: [values.length] });

function constant({ dtype, dims, data }: Initializer): NdArray {
  if (!('inline' in data)) throw new Error('weights in files are not read');
  const { buffer, byteOffset, byteLength } = data.inline;
  const bytes = buffer.slice(byteOffset, byteOffset + byteLength);
  const elements = {
    int64: () => Array.from(new BigInt64Array(bytes), Number),
    bool: () => [...new Uint8Array(bytes)],
    float: () => [...new Float32Array(bytes)],
  }[dtype as string];
  if (!elements) throw new Error(`constants of type ${dtype} are not read`);
  return { data: Float64Array.from(elements()), shape: dims };
}

/** The element at a place, the array being broadcast to it; zero outside where `padded`. */
function get({ data, shape }: NdArray, place: readonly number[]): number {
  const skipped = place.length - shape.length;
  let index = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis] as number;
    index = index * size + (size === 1 ? 0 : (place[skipped + axis] as number));
  }
  return data[index] as number;
}

const inside = (place: readonly number[], shape: readonly number[]): boolean =>
  place.every((at, axis) => at >= 0 && at < (shape[axis] as number));

function broadcast(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) =>
    Math.max(...shapes.map((shape) => shape[axis - rank + shape.length] ?? 1)),
  );
}

const elementwise = (f: (...values: number[]) => number): Operator => {
  return (inputs) =>
    ndarray(broadcast(...inputs.map(({ shape }) => shape)), (_, place) =>
      f(...inputs.map((input) => get(input, place))),
    );
};

/** By its series, to the last digits below 3. */
function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const front = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);
const numbers = (input: NdArray | undefined): number[] | null => (input ? [...input.data] : null);

/** Applies `f` to the elements that differ only in their places along some axes. */
function reduce(x: NdArray, axes: readonly number[], f: (values: number[]) => number): NdArray {
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const groups = Array.from({ length: sizeOf(kept) }, (): number[] => []);
  ndarray(x.shape, (index, place) => {
    const at = place.reduce((sum, here, axis) => sum * (kept[axis] as number) + (axes.includes(axis) ? 0 : here), 0);
    groups[at]?.push(x.data[index] as number);
    return 0;
  });
  return ndarray(kept, (index) => f(groups[index] as number[]));
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;

const reduction = (f: (values: number[]) => number): Operator => {
  return ([x, given], node) => {
    const { shape } = x as NdArray;
    const asked = intsOf(node, 'axes') ?? numbers(given);
    if (asked?.length === 0 && intOf(node, 'noop_with_empty_axes', 0) === 1) return x as NdArray;
    const axes = (asked?.length ? asked : [...shape.keys()]).map((axis) => front(axis, shape.length));
    const reduced = reduce(x as NdArray, axes, f);
    if (intOf(node, 'keepdims', 1) === 1) return reduced;
    return { ...reduced, shape: reduced.shape.filter((_, axis) => !axes.includes(axis)) };
  };
};

function normalised(x: NdArray, axes: readonly number[], epsilon: number): NdArray {
  const centre = reduce(x, axes, mean);
  const spread = reduce(x, axes, (values) => mean(values.map((value) => (value - mean(values)) ** 2)));
  return ndarray(x.shape, (index, place) => {
    return ((x.data[index] as number) - get(centre, place)) / Math.sqrt(get(spread, place) + epsilon);
  });
}

function softmax(x: NdArray, axis: number): NdArray {
  const total = reduce(x, [axis], (values) => sum(values.map(Math.exp)));
  return ndarray(x.shape, (index, place) => Math.exp(x.data[index] as number) / get(total, place));
}

function matmul(a: NdArray, b: NdArray): NdArray {
  const inner = a.shape.at(-1) as number;
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return ndarray([...batch, a.shape.at(-2) as number, b.shape.at(-1) as number], (_, place) => {
    const [row, column] = place.slice(-2) as [number, number];
    const outer = place.slice(0, -2);
    return sum(Array.from({ length: inner }, (_, k) => get(a, [...outer, row, k]) * get(b, [...outer, k, column])));
  });
}

function transpose(x: NdArray, order: readonly number[]): NdArray {
  const from = (place: readonly number[]) => order.map((_, axis) => place[order.indexOf(axis)] as number);
  return ndarray(
    order.map((axis) => x.shape[axis] as number),
    (_, place) => get(x, from(place)),
  );
}

const turned = (x: NdArray): NdArray => transpose(x, [1, 0]);

interface Window {
  strides: readonly number[];
  dilations: readonly number[];
  pads: readonly number[];
}

const windowOf = (node: GraphNode, axes: number): Window => ({
  strides: intsOf(node, 'strides') ?? new Array(axes).fill(1),
  dilations: intsOf(node, 'dilations') ?? new Array(axes).fill(1),
  pads: intsOf(node, 'pads') ?? new Array(2 * axes).fill(0),
});

function conv([x, w, bias]: NdArray[], node: GraphNode): NdArray {
  const [input, weight] = [x as NdArray, w as NdArray];
  const [sides, kernel] = [input.shape.slice(2), weight.shape.slice(2)];
  const { strides, dilations, pads } = windowOf(node, sides.length);
  const out = sides.map((side, axis) => {
    const reach = (dilations[axis] as number) * ((kernel[axis] as number) - 1) + 1;
    const padded = side + (pads[axis] as number) + (pads[axis + sides.length] as number);
    return Math.floor((padded - reach) / (strides[axis] as number)) + 1;
  });
  return ndarray([input.shape[0] as number, weight.shape[0] as number, ...out], (_, [row, channel, ...at]) => {
    let total = bias?.data[channel as number] ?? 0;
    ndarray(weight.shape.slice(1), (_, [from, ...tap]) => {
      const place = at.map(
        (side, axis) =>
          side * (strides[axis] as number) +
          (tap[axis] as number) * (dilations[axis] as number) -
          (pads[axis] as number),
      );
      if (inside(place, sides)) {
        const factor = get(weight, [channel as number, from as number, ...tap]);
        total += factor * get(input, [row as number, from as number, ...place]);
      }
      return 0;
    });
    return total;
  });
}

/** Each element of the input is written, times the kernel, into the output. */
function convTranspose([x, w]: NdArray[], node: GraphNode): NdArray {
  const [input, weight] = [x as NdArray, w as NdArray];
  const [sides, kernel] = [input.shape.slice(2), weight.shape.slice(2)];
  const { strides, dilations, pads } = windowOf(node, sides.length);
  const extra = intsOf(node, 'output_padding') ?? sides.map(() => 0);
  const out = sides.map((side, axis) => {
    const reach = (dilations[axis] as number) * ((kernel[axis] as number) - 1) + 1;
    const whole = (strides[axis] as number) * (side - 1) + (extra[axis] as number) + reach;
    return whole - (pads[axis] as number) - (pads[axis + sides.length] as number);
  });
  const result = ndarray([input.shape[0] as number, weight.shape[1] as number, ...out], () => 0);
  ndarray(input.shape, (index, [row, from, ...at]) => {
    ndarray(weight.shape.slice(1), (_, [to, ...tap]) => {
      const place = at.map(
        (side, axis) =>
          side * (strides[axis] as number) +
          (tap[axis] as number) * (dilations[axis] as number) -
          (pads[axis] as number),
      );
      if (inside(place, out)) {
        const target = [row as number, to as number, ...place].reduce(
          (total, here, axis) => total * (result.shape[axis] as number) + here,
          0,
        );
        const factor = get(weight, [from as number, to as number, ...tap]);
        result.data[target] = (result.data[target] as number) + factor * (input.data[index] as number);
      }
      return 0;
    });
    return 0;
  });
  return result;
}

function attention([q, k, v, , , bias]: NdArray[], node: GraphNode): NdArray {
  const heads = intOf(node, 'num_heads', 1);
  const split = (x: NdArray): NdArray => {
    const [rows, places, width] = x.shape as [number, number, number];
    return transpose({ ...x, shape: [rows, places, heads, width / heads] }, [0, 2, 1, 3]);
  };
  const [queries, keys, values] = [split(q as NdArray), split(k as NdArray), split(v as NdArray)];
  const depth = queries.shape[3] as number;
  const logits = matmul(queries, transpose(keys, [0, 1, 3, 2]));
  const weights = softmax(
    ndarray(logits.shape, (index, place) => {
      return (logits.data[index] as number) / Math.sqrt(depth) + (bias ? get(bias, place) : 0);
    }),
    3,
  );
  const mixed = transpose(matmul(weights, values), [0, 2, 1, 3]);
  const [rows, places, , inner] = mixed.shape as [number, number, number, number];
  return { ...mixed, shape: [rows, places, heads * inner] };
}

/** Places that a slice takes along an axis. */
function taken(size: number, start: number, end: number): number[] {
  const clamp = (at: number) => Math.min(Math.max(at < 0 ? at + size : at, 0), size);
  return Array.from({ length: Math.max(clamp(end) - clamp(start), 0) }, (_, index) => clamp(start) + index);
}

function slice([x, starts, ends, axes]: NdArray[]): NdArray {
  const { shape } = x as NdArray;
  const chosen = shape.map((size) => taken(size, 0, size));
  for (const [index, start] of (starts as NdArray).data.entries()) {
    const axis = front(axes ? (axes.data[index] as number) : index, shape.length);
    chosen[axis] = taken(shape[axis] as number, start, (ends as NdArray).data[index] as number);
  }
  return ndarray(
    chosen.map(({ length }) => length),
    (_, place) =>
      get(
        x as NdArray,
        place.map((at, axis) => chosen[axis]?.[at] as number),
      ),
  );
}

function split([x, sizes]: NdArray[], node: GraphNode): NdArray[] {
  const { shape } = x as NdArray;
  const axis = front(intOf(node, 'axis', 0), shape.length);
  const parts = numbers(sizes) ?? node.outputs.map(() => (shape[axis] as number) / node.outputs.length);
  return parts.map((size, index) => {
    const start = sum(parts.slice(0, index));
    return slice([x as NdArray, vector([start]), vector([start + size]), vector([axis])]);
  });
}

function concat(inputs: NdArray[], node: GraphNode): NdArray {
  const [first] = inputs as [NdArray];
  const axis = front(intOf(node, 'axis', 0), first.shape.length);
  const total = sum(inputs.map(({ shape }) => shape[axis] as number));
  return ndarray(first.shape.with(axis, total), (_, place) => {
    let at = place[axis] as number;
    for (const input of inputs) {
      const size = input.shape[axis] as number;
      if (at < size) return get(input, place.with(axis, at));
      at -= size;
    }
    throw new Error('beyond the last part');
  });
}

function reshape([x, to]: NdArray[]): NdArray {
  const { data, shape } = x as NdArray;
  const asked = [...(to as NdArray).data].map((size, axis) => (size === 0 ? (shape[axis] as number) : size));
  const known = sizeOf(asked.filter((size) => size !== -1));
  return { data, shape: asked.map((size) => (size === -1 ? data.length / known : size)) };
}

function unsqueeze([x, axes]: NdArray[]): NdArray {
  const { data, shape } = x as NdArray;
  const larger = [...shape];
  for (const axis of [...(axes as NdArray).data].sort((a, b) => a - b)) larger.splice(axis, 0, 1);
  return { data, shape: larger };
}

function squeeze([x, axes]: NdArray[]): NdArray {
  const { data, shape } = x as NdArray;
  const gone = numbers(axes)?.map((axis) => front(axis, shape.length));
  return { data, shape: shape.filter((size, axis) => (gone ? !gone.includes(axis) : size !== 1)) };
}

function gather([x, indices]: NdArray[], node: GraphNode): NdArray {
  const [table, chosen] = [x as NdArray, indices as NdArray];
  const axis = front(intOf(node, 'axis', 0), table.shape.length);
  const rank = chosen.shape.length;
  const shape = [...table.shape.slice(0, axis), ...chosen.shape, ...table.shape.slice(axis + 1)];
  return ndarray(shape, (_, place) => {
    const at = front(get(chosen, place.slice(axis, axis + rank)), table.shape[axis] as number);
    return get(table, [...place.slice(0, axis), at, ...place.slice(axis + rank)]);
  });
}

function scatter([x, indices, updates]: NdArray[], node: GraphNode): NdArray {
  if (stringOf(node, 'reduction', 'none') !== 'add' || (indices as NdArray).shape.at(-1) !== 1)
    throw new Error('other');
  const target = x as NdArray;
  const row = sizeOf(target.shape.slice(1));
  const data = Float64Array.from(target.data);
  for (const [index, signed] of (indices as NdArray).data.entries()) {
    const at = front(signed, target.shape[0] as number);
    for (let k = 0; k < row; k++) {
      data[at * row + k] = (data[at * row + k] as number) + ((updates as NdArray).data[index * row + k] as number);
    }
  }
  return { data, shape: target.shape };
}

function resize([x, , scales, sizes]: NdArray[]): NdArray {
  const { shape } = x as NdArray;
  const to = numbers(sizes) ?? shape.map((size, axis) => Math.floor(size * (scales?.data[axis] as number)));
  return ndarray(to, (_, place) =>
    get(
      x as NdArray,
      place.map((at, axis) => Math.floor((at * (shape[axis] as number)) / (to[axis] as number))),
    ),
  );
}

function pad([x, pads]: NdArray[]): NdArray {
  const { shape } = x as NdArray;
  const before = [...(pads as NdArray).data];
  const larger = shape.map((size, axis) => size + (before[axis] as number) + (before[axis + shape.length] as number));
  return ndarray(larger, (_, place) => {
    const at = place.map((here, axis) => here - (before[axis] as number));
    return inside(at, shape) ? get(x as NdArray, at) : 0;
  });
}

const gelu = (x: number): number => 0.5 * x * (1 + erf(x * Math.SQRT1_2));

const operators: Record<string, Operator> = {
  Identity: elementwise((x) => x as number),
  Cast: elementwise((x) => x as number),
  Neg: elementwise((x) => -(x as number)),
  Exp: elementwise(Math.exp as (x?: number) => number),
  Log: elementwise(Math.log as (x?: number) => number),
  Sin: elementwise(Math.sin as (x?: number) => number),
  Cos: elementwise(Math.cos as (x?: number) => number),
  Tanh: elementwise(Math.tanh as (x?: number) => number),
  Sqrt: elementwise(Math.sqrt as (x?: number) => number),
  Reciprocal: elementwise((x) => 1 / (x as number)),
  Erf: elementwise((x) => erf(x as number)),
  Gelu: elementwise((x) => gelu(x as number)),
  Sigmoid: elementwise((x) => 1 / (1 + Math.exp(-(x as number)))),
  Add: elementwise((a, b) => (a as number) + (b as number)),
  Sub: elementwise((a, b) => (a as number) - (b as number)),
  Mul: elementwise((a, b) => (a as number) * (b as number)),
  Div: elementwise((a, b) => (a as number) / (b as number)),
  Pow: elementwise((a, b) => (a as number) ** (b as number)),
  Sum: elementwise((...values) => sum(values)),
  Equal: elementwise((a, b) => Number(a === b)),
  Where: elementwise((condition, yes, no) => (condition ? (yes as number) : (no as number))),
  Gemm: ([a, b, c], node) => {
    const [left, right] = [a as NdArray, b as NdArray];
    const x = intOf(node, 'transA', 0) ? turned(left) : left;
    const product = matmul(x, intOf(node, 'transB', 0) ? turned(right) : right);
    const [alpha, beta] = [floatOf(node, 'alpha', 1), floatOf(node, 'beta', 1)];
    return ndarray(product.shape, (index, place) => {
      return alpha * (product.data[index] as number) + (c ? beta * get(c, place) : 0);
    });
  },
  MatMul: ([a, b]) => matmul(a as NdArray, b as NdArray),
  Conv: conv,
  ConvTranspose: convTranspose,
  MultiHeadAttention: attention,
  Softmax: ([x], node) => softmax(x as NdArray, front(intOf(node, 'axis', -1), (x as NdArray).shape.length)),
  LayerNormalization: ([x, scale, bias], node) => {
    const { shape } = x as NdArray;
    const axes = [...shape.keys()].slice(intOf(node, 'axis', -1));
    const n = normalised(x as NdArray, axes, floatOf(node, 'epsilon', 1e-5));
    return ndarray(shape, (index, place) => {
      return (n.data[index] as number) * get(scale as NdArray, place) + (bias ? get(bias, place) : 0);
    });
  },
  InstanceNormalization: ([x, scale, bias], node) => {
    const { shape } = x as NdArray;
    const n = normalised(x as NdArray, [...shape.keys()].slice(2), floatOf(node, 'epsilon', 1e-5));
    return ndarray(shape, (index, [, channel]) => {
      const [factor, shift] = [scale as NdArray, bias as NdArray].map(({ data }) => data[channel as number] as number);
      return (n.data[index] as number) * (factor as number) + (shift as number);
    });
  },
  ReduceSum: reduction(sum),
  ReduceMean: reduction(mean),
  Reshape: reshape,
  Flatten: ([x], node) => {
    const { data, shape } = x as NdArray;
    const axis = front(intOf(node, 'axis', 1), shape.length);
    return { data, shape: [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis))] };
  },
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: ([x], node) =>
    transpose(x as NdArray, intsOf(node, 'perm') ?? [...(x as NdArray).shape.keys()].toReversed()),
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  ScatterND: scatter,
  Resize: resize,
  Pad: pad,
  Expand: ([x, to]) =>
    ndarray(broadcast((x as NdArray).shape, [...(to as NdArray).data]), (_, place) => get(x as NdArray, place)),
  Shape: ([x], node) => {
    const { shape } = x as NdArray;
    return vector(shape.slice(intOf(node, 'start', 0), intOf(node, 'end', shape.length)));
  },
  Size: ([x]) => ({ data: Float64Array.of((x as NdArray).data.length), shape: [] }),
  Range: ([start, limit, step]) => {
    const [from, to, by] = [start, limit, step].map((value) => (value as NdArray).data[0] as number) as [
      number,
      number,
      number,
    ];
    return vector(Array.from({ length: Math.ceil((to - from) / by) }, (_, index) => from + by * index));
  },
  ConstantOfShape: ([to]) => ndarray([...(to as NdArray).data], () => 0),
  NonZero: ([x]) => {
    if ((x as NdArray).shape.length !== 1) throw new Error('of one axis only');
    const places = [...(x as NdArray).data.keys()].filter((at) => (x as NdArray).data[at] !== 0);
    return { data: Float64Array.from(places), shape: [1, places.length] };
  },
};
