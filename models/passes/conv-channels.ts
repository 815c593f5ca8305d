import type { Graph, GraphNode } from '../onnx/graph.ts';
import { type Weight, weightShapes } from './adaptable-modules.ts';
import { int64s, ints, node } from './edit.ts';

/**
 * Mends convolutions that ONNX Runtime's WebGPU provider (1.30, on every adapter) computes wrongly, by giving them input
 * channels of zeros up to a multiple of four.
 *
 * Its shader takes three channels at a time where their number is a multiple of three and not of four, and addresses
 * them by `channel / 4`: right for 3 channels, wrong for 6, 9, 15, 18, 21, 27, 33 (each measured: off by as much as the
 * result itself). It is taken where the number of outputs is a multiple of four and the kernel is not pointwise (1x1 in
 * steps of 1 without padding goes through MatMul); grouped convolutions have a shader of their own. In Stable Diffusion
 * that is `conv_in` of the 9-channel inpaint models, and an adapter's side branch on it. Source:
 * onnxruntime/core/providers/webgpu/nn/conv2d_mm.cc; https://github.com/microsoft/onnxruntime/issues/29651.
 *
 * Stored weights are padded once, when the runtime folds constants at load; the picture's zeros cost one Pad a run.
 *
 * To be applied after every other pass, which find convolutions by their weights. `graph` is changed.
 * @returns whether anything was mended
 */
export function padConvChannels(graph: Graph): boolean {
  const weights = weightShapes(graph);
  for (const { name, dtype, dims } of graph.inputs) weights.set(name, { dims, dtype });
  const pads = new Pads(graph);
  const nodes = graph.nodes.flatMap((conv) => {
    const weight = weights.get(conv.inputs[1] ?? '');
    if (!weight || !isMiscomputed(conv, weight)) return [conv];
    const channels = weight.dims[1] as number;
    const missing = 4 - (channels % 4);
    const [x, w, ...bias] = conv.inputs as [string, string, ...string[]];
    const rank = weight.dims.length;
    const before = [pads.add(x, missing, rank), pads.add(w, missing, rank)];
    conv.inputs = [pads.nameOf(x, missing), pads.nameOf(w, missing), ...bias];
    return [...before.filter((pad) => pad !== null), conv];
  });
  graph.nodes = nodes;
  return pads.any;
}

function isMiscomputed({ op, domain, attributes }: GraphNode, { dims }: Weight): boolean {
  if (op !== 'Conv' || domain !== '') return false;
  const [out, channels, ...kernel] = dims;
  if (attributes.group?.type === 'int' && attributes.group.value !== 1) return false;
  // A number of outputs that only a run knows (the rank of an adapter) can be a multiple of four.
  if (typeof out === 'number' && out % 4 !== 0) return false;
  if (typeof channels !== 'number' || channels <= 3 || channels % 3 !== 0 || channels % 4 === 0) return false;
  const all = (name: string, value: number) => {
    const attribute = attributes[name];
    return attribute?.type !== 'ints' || attribute.value.every((each) => each === value);
  };
  return !(kernel.every((size) => size === 1) && all('strides', 1) && all('pads', 0));
}

/** The Pad nodes of a graph: one for each tensor, whoever reads it. */
class Pads {
  readonly #graph: Graph;
  readonly #made = new Set<string>();

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  get any(): boolean {
    return this.#made.size > 0;
  }

  nameOf(tensor: string, missing: number): string {
    return `${tensor}/and_${missing}_channels`;
  }

  /** A node that puts `missing` planes of zeros behind the second dimension; null where there is one already. */
  add(tensor: string, missing: number, rank: number): GraphNode | null {
    const name = this.nameOf(tensor, missing);
    if (this.#made.has(name)) return null;
    this.#made.add(name);
    const amounts = Array.from({ length: 2 * rank }, (_, index) => (index === rank + 1 ? missing : 0));
    // Opset 11 made the amounts an input.
    if ((this.#graph.opsets[''] ?? 0) < 11) return node(name, 'Pad', [tensor], name, { pads: ints(amounts) });
    return node(name, 'Pad', [tensor, int64s(this.#graph, `pads/${amounts.join('_')}`, amounts)]);
  }
}
