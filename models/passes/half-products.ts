import { dataTypes, type Graph, type GraphNode } from '../onnx/graph.ts';
import { type Weight, weightShapes } from './adaptable-modules.ts';
import { int, node } from './edit.ts';

/**
 * Half-precision weights and products in a graph that else computes in fp32: every convolution and Linear with weights of
 * its own takes them and its input in fp16 and gives fp32 again. Norms, softmax, attention, residuals, adapters' side
 * branches and every input and output stay as they are, so that what overflows or loses digits in fp16 does not meet it
 * (the logits of SD 2.x; sums of a GroupNorm), and passes that read or change features need not know of it.
 *
 * Weights stored in fp16 enter as they lie in the file, without the cast that a graph in fp32 has; others are cast once, at
 * load. On the device they take half of what they take in fp32. Apply after the passes that look for modules; a graph
 * whose arithmetic is half precision already is left alone. `graph` is changed.
 * @returns whether anything was changed
 */
export function halveProducts(graph: Graph): boolean {
  const halves = new Halves(graph);
  graph.nodes = graph.nodes.flatMap((original) => halves.around(original));
  if (halves.changed) dropUnread(graph);
  return halves.changed;
}

const products = new Set(['Conv', 'Gemm', 'MatMul']);
const toHalf = { to: int(dataTypes.float16) };
const toFloat = { to: int(dataTypes.float) };

class Halves {
  changed = false;
  readonly #weights: Map<string, Weight>;
  /** fp16 initializers, by the value that a Cast makes of them. */
  readonly #stored = new Map<string, string>();
  readonly #cast = new Set<string>();

  constructor(graph: Graph) {
    this.#weights = weightShapes(graph);
    for (const { op, inputs, outputs } of graph.nodes) {
      const [from = '', to = ''] = [inputs[0], outputs[0]];
      if (op === 'Cast' && graph.initializers.get(from)?.dtype === 'float16') this.#stored.set(to, from);
    }
  }

  /** The node itself, or its like in fp16 between the casts that it needs. */
  around(original: GraphNode): GraphNode[] {
    const [x = '', weight = ''] = original.inputs;
    const isProduct = products.has(original.op) && original.domain === '';
    if (!isProduct || this.#weights.has(x) || this.#weights.get(weight)?.dtype !== 'float') return [original];
    this.changed = true;
    const before: GraphNode[] = [];
    const inputs = original.inputs.map((input) => {
      if (input === '') return input;
      const stored = this.#stored.get(input);
      if (stored !== undefined) return stored;
      const half = `${input}/half`;
      if (!this.#cast.has(half)) before.push(node(half, 'Cast', [input], half, toHalf));
      this.#cast.add(half);
      return half;
    });
    const [y] = original.outputs as [string];
    // `own`: an input of another product may be this one's output, and has a cast of that name.
    const own = `${y}/own_half`;
    return [...before, { ...original, inputs, outputs: [own] }, node(`${y}/float`, 'Cast', [own], y, toFloat)];
  }
}

/** Casts and weights that nothing reads any more. */
function dropUnread(graph: Graph): void {
  const read = new Set([...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)]);
  graph.nodes = graph.nodes.filter(({ op, outputs }) => op !== 'Cast' || outputs.some((output) => read.has(output)));
}
