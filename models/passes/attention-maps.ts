import { ImpastoError } from '../../contract/errors.ts';
import type { Graph, GraphNode } from '../onnx/graph.ts';
import { findAdaptable } from './adaptable-modules.ts';
import { type AttentionPlace, attentionPath } from './attention-nodes.ts';
import { wholeShape } from './cross-segments.ts';
import { float32, insertAfter, int, int64s, ints, meanOver, node } from './edit.ts';

/**
 * Where a UNet looks, as an output of its graph: the weights of its attentions at one level of the picture, averaged
 * over heads and layers (Hertz et al. 2022; CLoRA and LoRA-Composer read their losses and masks from it).
 *
 * Fused attention never holds its weights: beside it a MatMul and a Softmax are written over the same queries and keys,
 * and its bias where it has one. Apply after passes that change attention.
 */
export interface AttentionMapOptions {
  place: AttentionPlace;
  /** Level of the picture at which a module works, e.g. `level0`: `unetGate`. */
  levelOf: (path: string) => string;
  /** The level whose maps are given, e.g. `level2` for SD1.5's 16x16 at 512 pixels. */
  level: string;
}

export interface AttentionMaps {
  /**
   * Name of the output, float: [rows, queries, keys]. A row of it sums to 1; queries lie row by row over the picture, keys
   * are the prompt's tokens (`cross`) or places (`self`).
   */
  output: string;
  /** Paths of the attentions that were averaged. */
  layers: string[];
}

/**
 * Adds the output. `graph` is changed; what it computed before stays as it was.
 * @throws ImpastoError `UNKNOWN_ARCHITECTURE` where no attention works at that level
 */
export function addAttentionMaps(graph: Graph, { place, levelOf, level }: AttentionMapOptions): AttentionMaps {
  const widths = findAdaptable(graph, levelOf);
  const after = new Map<GraphNode, GraphNode[]>();
  const layers: string[] = [];
  const means: string[] = [];
  for (const attention of graph.nodes) {
    const path = attentionPath(attention, place);
    if (path === null || levelOf(path) !== level) continue;
    const query = widths.get(`${path}.to_q`);
    const at = (label: string) => `${path}/maps/${label}`;
    const nodes: GraphNode[] = [];
    const weights =
      attention.op === 'Softmax'
        ? plainWeights(graph, attention, at, nodes)
        : fusedWeights(graph, attention, query?.out ?? null, query?.dtype !== 'float', at, nodes);
    nodes.push(
      meanOver(graph, at('mean'), weights, 1),
      node(at('float'), 'Cast', [at('mean')], at('float'), { to: int(1) }),
    );
    after.set(attention, nodes);
    layers.push(path);
    means.push(at('float'));
  }
  if (layers.length === 0) {
    throw new ImpastoError(
      'UNKNOWN_ARCHITECTURE',
      `This model has no ${place}-attention at ${level}, whose maps this method reads.`,
      'Choose another level for the maps, or another model: the method needs a Stable Diffusion UNet that names its layers.',
    );
  }
  insertAfter(graph, after);
  const output = `attention_maps/${place}/${level}`;
  const count = float32(graph, `${output}/count`, layers.length);
  const sum = means.length === 1 ? (means[0] as string) : `${output}/sum`;
  if (means.length > 1) graph.nodes.push(node(sum, 'Sum', means));
  graph.nodes.push(node(output, 'Div', [sum, count]));
  const keys = place === 'cross' ? 'map_tokens' : `map_keys_${level}`;
  graph.outputs.push({ name: output, dtype: 'float', dims: ['map_rows', `map_queries_${level}`, keys] });
  return { output, layers };
}

type Label = (label: string) => string;

/** Weights that the graph holds as [rows, heads, queries, keys], or as [rows * heads, queries, keys] in older exports. */
function plainWeights(graph: Graph, softmax: GraphNode, at: Label, nodes: GraphNode[]): string {
  let [weights] = softmax.outputs as [string];
  if (!softmax.name.startsWith('/')) return weights;
  const whole = wholeShape(softmax);
  if (whole) {
    nodes.push(node(at('joined'), 'Reshape', [weights, whole]));
    weights = at('joined');
  }
  const rows = graph.inputs.find(({ name }) => name === 'sample')?.name ?? (graph.inputs[0]?.name as string);
  const rest = int64s(graph, 'attention_maps/rest', [-1]);
  nodes.push(
    node(at('row_shape'), 'Shape', [rows]),
    node(at('rows'), 'Gather', [at('row_shape'), int64s(graph, 'attention_maps/first', [0])]),
    node(at('shape'), 'Shape', [weights]),
    node(at('places'), 'Gather', [at('shape'), int64s(graph, 'attention_maps/last_two', [-2, -1])]),
    node(at('sizes'), 'Concat', [at('rows'), rest, at('places')], at('sizes'), { axis: int(0) }),
    node(at('weights'), 'Reshape', [weights, at('sizes')]),
  );
  return at('weights');
}

/** softmax(q k^T / sqrt(d) + bias) of a fused attention, [rows, heads, queries, keys]. */
function fusedWeights(
  graph: Graph,
  attention: GraphNode,
  width: number | null,
  half: boolean,
  at: Label,
  nodes: GraphNode[],
): string {
  const { num_heads: count } = attention.attributes;
  if (width === null || count?.type !== 'int') throw new Error(`${attention.name} has no known heads`);
  const heads = count.value;
  const depth = width / heads;
  const [q = '', k = '', , , , bias = ''] = attention.inputs;
  const float = (value: string, label: string): string => {
    if (!half) return value;
    nodes.push(node(at(label), 'Cast', [value], at(label), { to: int(1) }));
    return at(label);
  };
  const sizes = int64s(graph, `attention_maps/split_${heads}_${depth}`, [0, 0, heads, depth]);
  nodes.push(
    node(at('q'), 'Mul', [float(q, 'q_float'), float32(graph, `attention_maps/scale_${depth}`, 1 / Math.sqrt(depth))]),
    node(at('q_split'), 'Reshape', [at('q'), sizes]),
    node(at('q_heads'), 'Transpose', [at('q_split')], at('q_heads'), { perm: ints([0, 2, 1, 3]) }),
    node(at('k_split'), 'Reshape', [float(k, 'k_float'), sizes]),
    node(at('k_heads'), 'Transpose', [at('k_split')], at('k_heads'), { perm: ints([0, 2, 3, 1]) }),
    node(at('logits'), 'MatMul', [at('q_heads'), at('k_heads')]),
  );
  let logits = at('logits');
  if (bias !== '') {
    nodes.push(node(at('biased'), 'Add', [logits, bias]));
    logits = at('biased');
  }
  nodes.push(node(at('weights'), 'Softmax', [logits], at('weights'), { axis: int(-1) }));
  return at('weights');
}
