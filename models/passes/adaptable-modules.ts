import type { UNetConfig } from '../checkpoint/component-config.ts';
import type { Graph, GraphNode } from '../onnx/graph.ts';

/** A Linear or convolution of a network that an adapter can act on, as a node of its graph. */
export interface AdaptableModule {
  /** diffusers module path, e.g. `mid_block.attentions.0.transformer_blocks.0.attn1.to_q`. */
  path: string;
  node: GraphNode;
  kind: 'linear' | 'conv';
  /** Which gate acts on it: see {@link gateOf}. */
  gate: string;
}

/**
 * The module path of a node: authored graphs name the node by it; torch's exporter gives
 * `/down_blocks.0/attentions.0/transformer_blocks.0/attn1/to_q/MatMul`.
 */
function modulePath(node: GraphNode): string {
  if (!node.name.startsWith('/')) return node.name;
  return node.name
    .slice(1)
    .replace(/\/[^/]+$/, '')
    .replaceAll('/', '.');
}

/** Every Linear and convolution with weights of its own, by module path. */
export function findAdaptable(graph: Graph, gateFor: (path: string) => string): Map<string, AdaptableModule> {
  const weights = castInitializers(graph);
  const found = new Map<string, AdaptableModule>();
  for (const node of graph.nodes) {
    const linear = node.op === 'Gemm' || node.op === 'MatMul';
    if (!linear && node.op !== 'Conv') continue;
    if (!weights.has(node.inputs[1] ?? '')) continue;
    const path = modulePath(node);
    if (path === '' || found.has(path)) continue;
    found.set(path, { path, node, kind: linear ? 'linear' : 'conv', gate: gateFor(path) });
  }
  return found;
}

/** Names that hold a weight: initializers, and those behind a cast or (in exported graphs) a transpose. */
function castInitializers(graph: Graph): Set<string> {
  const names = new Set(graph.initializers.keys());
  for (const node of graph.nodes) {
    if (
      node.op === 'Constant' ||
      ((node.op === 'Cast' || node.op === 'Transpose') && names.has(node.inputs[0] ?? ''))
    ) {
      for (const output of node.outputs) names.add(output);
    }
  }
  return names;
}

/**
 * Where a UNet's module works: at a level of the picture (`level0` the latent's own size, each next one half of it), on
 * the prompt's tokens (`context`) or on the timestep's vector (`vector`). Modules of one place share one gate.
 */
export function unetGate(config: Pick<UNetConfig, 'blockOutChannels'>): (path: string) => string {
  const last = config.blockOutChannels.length - 1;
  return (path) => {
    if (/attn2\.to_[kv]$/.test(path)) return 'context';
    if (/(^|\.)(time_embedding|add_embedding|time_emb_proj|time_proj)(\.|$)/.test(path)) return 'vector';
    const down = /^down_blocks\.(\d+)\.(downsamplers)?/.exec(path);
    if (down) return `level${Number(down[1]) + (down[2] ? 1 : 0)}`;
    const up = /^up_blocks\.(\d+)\.(upsamplers)?/.exec(path);
    if (up) return `level${last - Number(up[1]) - (up[2] ? 1 : 0)}`;
    return path.startsWith('mid_block') ? `level${last}` : 'level0';
  };
}

/** A text encoder has tokens only. */
export const textGate = (): string => 'context';
