import { readFile } from 'node:fs/promises';
import type { Part } from '../../../models/checkpoint/checkpoint.ts';
import type { TensorShapes } from '../../../models/checkpoint/module-names.ts';
import type { Graph } from '../../../models/onnx/graph.ts';
import { parseModel, serialise } from '../../../models/onnx/serialise.ts';
import { findAdaptable } from '../../../models/passes/adaptable-modules.ts';
import { halveProducts } from '../../../models/passes/half-products.ts';
import { nameModules } from '../../../models/passes/name-modules.ts';
import type { WeightMap } from '../../../models/weights/weight-map.ts';
import type { ModelSource } from '../runtime/session.ts';
import { modelIdentity, type SessionCache, type SessionKey } from '../runtime/session-cache.ts';
import type { SessionUse } from './session-use.ts';

/** Changes a network's graph before it is loaded. */
export interface GraphPass {
  /** Tells its variant of the graph from others. */
  key: string;
  /** The graph computes in fp32 whatever was asked for: gradients vanish in half precision. */
  fp32?: true;
  apply(graph: Graph): void;
}

/** Changes the finished graph where the provider computes something wrongly; tells whether it changed anything. */
export type GraphMend = (graph: Graph) => boolean;

/** One network's graph and its sessions, plain or changed by passes. */
export interface NetworkSessions {
  /** The session of a variant: built when first used. */
  use(passes?: readonly GraphPass[]): SessionUse;
  /** The graph before any pass, written or read anew. */
  graph(): Promise<Graph>;
}

export interface NetworkSource<C> {
  part: Part<C>;
  /** Files that the weights come from. */
  files: readonly string[];
  /** Estimated bytes of its weights in a session. */
  bytes: number;
  author: (config: C, weights: WeightMap) => Graph;
  /** Its tensors by their sizes, by which the modules of an exported graph are found where it does not name them. */
  tensors?: ((config: C) => TensorShapes) | undefined;
  /** Weights and products in half precision. */
  half: boolean;
  /** After every pass. */
  mend: GraphMend | null;
}

/**
 * Wires a network to the session cache.
 * @param key component, provider, and a variant that tells how the graph is written
 */
export async function networkSessions<C>(
  cache: SessionCache,
  key: Omit<SessionKey, 'model'>,
  { part, files, bytes, author, tensors, half, mend }: NetworkSource<C>,
): Promise<NetworkSessions> {
  const model = await modelIdentity(files);
  const graph = async (): Promise<Graph> => {
    if (part.source !== 'onnx') return author(part.config, part.weights);
    const imported = parseModel(await readFile(part.path), part.path);
    const like = () => author(part.config, unwritten(tensors?.(part.config) ?? new Map()));
    if (tensors) nameModules(imported, () => [...findAdaptable(like(), () => '').values()]);
    return imported;
  };
  const uses = new Map<string, SessionUse>();
  const make = (passes: readonly GraphPass[], variant: string): SessionUse => {
    const source = async (): Promise<ModelSource> => {
      const asItIs = part.source === 'onnx' && passes.length === 0 ? { path: part.path } : null;
      const mends = [half && !passes.some((pass) => pass.fp32) ? halveProducts : null, mend].filter(
        (one) => one !== null,
      );
      if (asItIs && mends.length === 0) return asItIs;
      const changed = await graph();
      for (const pass of passes) pass.apply(changed);
      const mended = mends.map((one) => one(changed)).includes(true);
      return asItIs && !mended ? asItIs : serialise(changed);
    };
    return (working, work) => cache.use({ ...key, model, variant }, { source, bytes: bytes + working }, work);
  };
  return {
    graph,
    use: (passes = []) => {
      const variant = [key.variant, ...passes.map((pass) => pass.key)].join(' ');
      const known = uses.get(variant) ?? make(passes, variant);
      uses.set(variant, known);
      return known;
    },
  };
}

/** Weights of these sizes that lie nowhere: enough to write a graph that is read and not run. */
function unwritten(tensors: TensorShapes): WeightMap {
  return new Map(
    [...tensors].map(([name, shape]) => {
      const length = 4 * shape.reduce((a, b) => a * b, 1);
      return [name, { file: '/', dtype: 'F32', shape, offset: 0, length }];
    }),
  );
}
