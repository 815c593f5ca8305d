import type { UNetConfig } from '../checkpoint/component-config.ts';
import { type DataType, type Dim, dataTypes, type Graph, type GraphNode } from '../onnx/graph.ts';

/** A Linear or convolution of a network that an adapter can act on, as a node of its graph. */
export interface AdaptableModule {
  /** diffusers module path, e.g. `mid_block.attentions.0.transformer_blocks.0.attn1.to_q`. */
  path: string;
  node: GraphNode;
  kind: 'linear' | 'conv';
  in: number;
  out: number;
  /** Of a convolution; empty for a Linear. */
  kernel: readonly number[];
  /** Arithmetic of the module. */
  dtype: DataType;
  /** Which gate acts on it: see {@link unetGate}. */
  gate: string;
}

/** First parts of the paths of modules that adapters act on. */
const roots =
  /(?:^|\.)((?:down_blocks|mid_block|up_blocks|conv_in|conv_out|time_embedding|add_embedding|text_projection)(?:\.|$).*)/;
const textLayer = /(?:^|\.)(encoder\.layers\..*)/;

/**
 * The module path of a node: authored graphs name the node by it; torch's exporter gives
 * `/down_blocks.0/attentions.0/transformer_blocks.0/attn1/to_q/MatMul`, in some exports below a wrapper (`/unet/...`),
 * and newer versions of transformers have no `text_model` around a text encoder's layers.
 */
export function modulePath(node: GraphNode): string {
  if (!node.name.startsWith('/')) return node.name;
  const path = node.name.slice(1).replace(/\/[^/]+$/, '');
  return moduleOfWeight(path.replaceAll('/', '.'));
}

/** The module path of a dotted name that may have a wrapper before it, as the names of exported weights do. */
export function moduleOfWeight(name: string): string {
  const layer = textLayer.exec(name)?.[1];
  return layer ? `text_model.${layer}` : (roots.exec(name)?.[1] ?? name);
}

/** Every Linear and convolution with weights of its own, by module path. */
export function findAdaptable(graph: Graph, gateFor: (path: string) => string): Map<string, AdaptableModule> {
  const found = new Map<string, AdaptableModule>();
  for (const module of weightedModules(graph)) {
    const path = modulePath(module.node);
    if (path !== '' && !found.has(path)) found.set(path, { ...module, path, gate: gateFor(path) });
  }
  return found;
}

/** Every Linear and convolution with weights of its own, named or not, in the graph's order. */
export function* weightedModules(graph: Graph): Generator<Omit<AdaptableModule, 'path' | 'gate'>> {
  const weights = weightShapes(graph);
  for (const node of graph.nodes) {
    const weight = weights.get(node.inputs[1] ?? '');
    if (!weight) continue;
    const { dims, dtype } = weight;
    const [first, second, ...kernel] = dims as [number, number, ...number[]];
    if (node.op === 'Conv' && dims.length === 4 && !isGrouped(node)) {
      yield { node, dtype, kind: 'conv', in: second, out: first, kernel };
    } else if (node.op === 'Gemm' && dims.length === 2 && !isSet(node, 'transA')) {
      const [out, width] = isSet(node, 'transB') ? [first, second] : [second, first];
      yield { node, dtype, kind: 'linear', in: width, out, kernel: [] };
    } else if (node.op === 'MatMul' && dims.length === 2) {
      yield { node, dtype, kind: 'linear', in: first, out: second, kernel: [] };
    }
  }
}

/** A tensor that holds weights, as it enters an operator. */
export interface Weight {
  dims: readonly Dim[];
  dtype: DataType;
}

/** Initializers, and those behind a cast or (in exported graphs) a transpose: their shapes and types where they enter. */
export function weightShapes(graph: Graph): Map<string, Weight> {
  const weights = new Map<string, Weight>(graph.initializers);
  for (const node of graph.nodes) {
    const source = weights.get(node.inputs[0] ?? '');
    const [output] = node.outputs;
    if (!source || output === undefined) continue;
    if (node.op === 'Cast') weights.set(output, { ...source, dtype: castType(node) ?? source.dtype });
    if (node.op === 'Transpose' && source.dims.length === 2) {
      weights.set(output, { ...source, dims: source.dims.toReversed() });
    }
  }
  return weights;
}

function castType(node: GraphNode): DataType | undefined {
  const { to } = node.attributes;
  if (to?.type !== 'int') return undefined;
  return (Object.keys(dataTypes) as DataType[]).find((name) => dataTypes[name] === to.value);
}

function isSet(node: GraphNode, name: string): boolean {
  const attribute = node.attributes[name];
  return attribute?.type === 'int' && attribute.value === 1;
}

function isGrouped(node: GraphNode): boolean {
  const { group } = node.attributes;
  return group?.type === 'int' && group.value !== 1;
}

/**
 * How much of a UNet a set of adapters touches. Each holds those before it; a graph is made for one of them, so that
 * sets of the same kind share a session: `attention` the four projections of each attention, `transformer` feed-forward
 * and proj_in/out as well (what sd-scripts trains), `all` every convolution and the timestep's layers too (LoCon).
 */
export const adapterReaches = ['attention', 'transformer', 'all'] as const;
export type AdapterReach = (typeof adapterReaches)[number];

export function reachOf(path: string): AdapterReach {
  if (/\.attn[12]\.(to_[qkv]|to_out\.0)$/.test(path)) return 'attention';
  return /\.(attentions|transformer_blocks)\./.test(path) ? 'transformer' : 'all';
}

/** Is a module within reach? */
export function within(path: string, reach: AdapterReach): boolean {
  return adapterReaches.indexOf(reachOf(path)) <= adapterReaches.indexOf(reach);
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

/** The gate at a module's inputs, which is a level up where a convolution halves the picture. */
export function inputGate({ gate, node }: Pick<AdaptableModule, 'gate' | 'node'>): string {
  const { strides } = node.attributes;
  const halves = strides?.type === 'ints' && strides.value.some((stride) => stride > 1);
  return halves ? gate.replace(/^level(\d+)$/, (_, level) => `level${Number(level) - 1}`) : gate;
}
