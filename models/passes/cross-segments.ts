import { ImpastoError } from '../../contract/errors.ts';
import type { Graph, GraphNode } from '../onnx/graph.ts';
import { attentionPath } from './attention-nodes.ts';
import { insertAfter, int, int64s, ints, moduleOutput, node } from './edit.ts';

/**
 * Region-aware cross-attention (LoRA-Composer): the prompt's tokens are segments of one length, laid end to end; each
 * segment is attended to by itself, and what they give is mixed by a weight at each place of the picture. With one segment
 * of weight 1 nothing changes.
 *
 * `output`: the segments are told apart up to and including `to_out`, whose positions are then [segments * places]: a gate
 *   on its side branch holds one value for each segment and place. Of authored graphs.
 * `weights`: each segment's softmax is weighed before the values are summed, and `to_out` sees the mix: the same where `to_out`
 *   is one for all segments, or where each place has one segment. Of exported graphs, whose rows cannot be told apart.
 */
export type SegmentMixing = 'output' | 'weights';

export interface CrossSegments {
  mixing: SegmentMixing;
  /**
   * By level: the input of weights, [1, segments, places, 1]. Over the segments they sum to 1. An attention bias that was
   * added before this pass is [rows * segments, 1, places, tokens of one] where `mixing` is `output`, and so are maps; else
   * they hold all tokens of a row, each segment's weights summing to 1.
   */
  weights: Map<string, string>;
}

/** Adds the inputs. `graph` is changed. @throws ImpastoError `UNKNOWN_ARCHITECTURE` where it has no cross-attention */
export function addCrossSegments(graph: Graph, levelOf: (path: string) => string): CrossSegments {
  const found = graph.nodes.flatMap((attention) => {
    const path = attentionPath(attention, 'cross');
    return path === null ? [] : [{ attention, path }];
  });
  const [first] = found;
  if (!first) {
    throw new ImpastoError(
      'UNKNOWN_ARCHITECTURE',
      'This model has no cross-attention that could read a prompt for each region.',
      'Use a Stable Diffusion UNet that names its layers.',
    );
  }
  const mixing: SegmentMixing = first.attention.name.startsWith('/') ? 'weights' : 'output';
  const weights = new Map<string, string>();
  const after = new Map<GraphNode, GraphNode[]>();
  for (const { attention, path } of found) {
    const level = levelOf(path);
    const input = weights.get(level) ?? `segment_weights/${level}`;
    if (!weights.has(level)) {
      graph.inputs.push({ name: input, dtype: 'float', dims: [1, 'segments', `segment_places_${level}`, 1] });
      weights.set(level, input);
    }
    const segmented = new Segments(graph, path, input);
    if (mixing === 'output') segmented.output(after);
    else segmented.weigh(attention, after);
  }
  insertAfter(graph, after);
  return { mixing, weights };
}

/** Of a softmax that {@link addCrossSegments} cut into segments: the value that holds its shape uncut. */
export function wholeShape({ outputs: [output = ''] }: GraphNode): string | null {
  return output.endsWith('/segments/each') ? output.replace(/each$/, 'shape') : null;
}

class Segments {
  readonly #graph: Graph;
  readonly #path: string;
  readonly #weights: string;

  constructor(graph: Graph, path: string, weights: string) {
    this.#graph = graph;
    this.#path = path;
    this.#weights = weights;
  }

  /** Queries repeated for each segment, keys and values cut into them; after `to_out` their weighted sum. */
  output(after: Map<GraphNode, GraphNode[]>): void {
    const [q, k, v, out] = ['to_q', 'to_k', 'to_v', 'to_out.0'].map((name) => this.#module(name)) as [
      GraphNode,
      GraphNode,
      GraphNode,
      GraphNode,
    ];
    const { own: whole, read: queries } = this.#rename(q);
    const count = this.#count();
    const shape = this.#at('q_shape');
    const [rows, rest] = [this.#at('q_rows'), this.#at('q_rest')];
    const repeated = this.#at('q_sizes');
    const flat = this.#at('q_flat');
    after.set(q, [
      ...count.nodes,
      node(shape, 'Shape', [whole]),
      node(rows, 'Gather', [shape, this.#constant('first', [0])]),
      node(rest, 'Gather', [shape, this.#constant('last_two', [1, 2])]),
      node(repeated, 'Concat', [rows, count.name, rest], repeated, { axis: int(0) }),
      node(flat, 'Concat', [this.#constant('rest', [-1]), rest], flat, { axis: int(0) }),
      node(this.#at('q_row'), 'Unsqueeze', [whole, this.#constant('axis', [1])]),
      node(this.#at('q_each'), 'Expand', [this.#at('q_row'), repeated]),
      node(this.#at('q'), 'Reshape', [this.#at('q_each'), flat], queries),
    ]);
    for (const [module, label] of [
      [k, 'k'],
      [v, 'v'],
    ] as const) {
      // [rows, segments * tokens, width] -> [rows * segments, tokens, width]: the same numbers in the same order.
      const { own: joined, read } = this.#rename(module);
      const at = (name: string) => this.#at(`${label}_${name}`);
      after.set(module, [
        node(at('shape'), 'Shape', [joined]),
        node(at('rows'), 'Gather', [at('shape'), this.#constant('first', [0])]),
        node(at('width'), 'Gather', [at('shape'), this.#constant('third', [2])]),
        node(at('all'), 'Mul', [at('rows'), count.name]),
        node(at('sizes'), 'Concat', [at('all'), this.#constant('rest', [-1]), at('width')], at('sizes'), {
          axis: int(0),
        }),
        node(at('cut'), 'Reshape', [joined, at('sizes')], read),
      ]);
    }
    const { own: apart, read: mixed } = this.#rename(out);
    after.set(out, [
      node(this.#at('out_each'), 'Reshape', [apart, repeated]),
      node(this.#at('out_weighed'), 'Mul', [this.#at('out_each'), this.#weights]),
      node(this.#at('out'), 'ReduceSum', [this.#at('out_weighed'), this.#constant('axis', [1])], mixed, {
        keepdims: int(0),
      }),
    ]);
  }

  /** Logits [.., queries, segments * tokens]: a softmax for each segment, times its weight at the query. */
  weigh(softmax: GraphNode, after: Map<GraphNode, GraphNode[]>): void {
    const count = this.#count();
    const weights = softmax.outputs[0] as string;
    const [logits] = softmax.inputs as [string];
    const at = (name: string) => this.#at(name);
    // [.., queries, tokens of all] -> [.., queries, segments, tokens of one]
    const cut = [
      ...count.nodes,
      node(at('shape'), 'Shape', [logits]),
      node(at('leading'), 'Slice', [at('shape'), this.#constant('first', [0]), this.#constant('end', [-1])]),
      node(at('sizes'), 'Concat', [at('leading'), count.name, this.#constant('rest', [-1])], at('sizes'), {
        axis: int(0),
      }),
      node(at('cut'), 'Reshape', [logits, at('sizes')]),
    ];
    const index = this.#graph.nodes.indexOf(softmax);
    this.#graph.nodes.splice(index, 0, ...cut);
    softmax.inputs = [at('cut')];
    softmax.outputs = [at('each')];
    softmax.attributes = { axis: int(-1) };
    after.set(softmax, [
      // [1, segments, places, 1] -> [places, segments, 1], which broadcasts to any leading dimensions.
      node(at('weight_rows'), 'Squeeze', [this.#weights, this.#constant('first', [0])]),
      node(at('weight'), 'Transpose', [at('weight_rows')], at('weight'), { perm: ints([1, 0, 2]) }),
      node(at('weighed'), 'Mul', [at('each'), at('weight')]),
      node(at('joined'), 'Reshape', [at('weighed'), at('shape')], weights),
    ]);
  }

  /** The number of segments, int64 [1]. */
  #count(): { name: string; nodes: GraphNode[] } {
    const shape = this.#at('weights_shape');
    const name = this.#at('count');
    return {
      name,
      nodes: [node(shape, 'Shape', [this.#weights]), node(name, 'Gather', [shape, this.#constant('axis', [1])])],
    };
  }

  #module(name: string): GraphNode {
    const found = moduleOutput(this.#graph, `${this.#path}.${name}`);
    if (found) return found;
    throw new ImpastoError(
      'UNKNOWN_ARCHITECTURE',
      `This model has no layer ${this.#path}.${name}, which this method needs.`,
      'Use a Stable Diffusion UNet with the usual blocks (SD 1.x, 2.x or SDXL).',
    );
  }

  /** Gives a module's output a new name, so that what follows takes the old one and every reader of it. */
  #rename(module: GraphNode): { own: string; read: string } {
    const read = module.outputs[0] as string;
    const own = `${read}/unsegmented`;
    module.outputs = [own];
    return { own, read };
  }

  #at(label: string): string {
    return `${this.#path}/segments/${label}`;
  }

  #constant(label: string, values: readonly number[]): string {
    return int64s(this.#graph, `segments/${label}`, values);
  }
}
