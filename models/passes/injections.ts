import { ImpastoError } from '../../contract/errors.ts';
import type { Graph, GraphNode } from '../onnx/graph.ts';
import { insertAfter, moduleOutput, node } from './edit.ts';

/**
 * Looking at and replacing what modules of a UNet give, by module path: features of a resnet's last convolution, queries
 * and keys of self-attention (Plug-and-Play, Tumanyan et al. 2023; DiffStyler injects them from a content picture).
 */

/**
 * Makes what modules give outputs of the graph, `tap/PATH`. `graph` is changed; what it computed before stays as it was.
 * @throws ImpastoError `UNKNOWN_ARCHITECTURE` where the graph does not name one of them
 */
export function addTaps(graph: Graph, paths: readonly string[]): Map<string, string> {
  const outputs = new Map<string, string>();
  for (const path of paths) {
    const name = `tap/${path}`;
    const [value] = sourceOf(graph, path).outputs as [string];
    graph.nodes.push(node(name, 'Identity', [value]));
    graph.outputs.push({ name, dtype: 'float', dims: tapDims(path) });
    outputs.set(path, name);
  }
  return outputs;
}

export interface InjectionSite {
  /** A module whose output is [rows, ...]. */
  path: string;
  /** Sites of one weight share an input, e.g. `features`, `attention`. */
  weight: string;
}

export interface InjectionOptions {
  sites: readonly InjectionSite[];
  /**
   * What is injected. `first-row`: what the module gives in the first row of the same call. `input`: an input of the graph,
   * `injected/PATH`, of the module's own shape or of one row.
   */
  from: 'first-row' | 'input';
}

/**
 * Mixes w * injected + (1 - w) * own into what each site gives, w a number for each row, and returns the weights' inputs by
 * name: [rows or 1, 1, 1] of sites in attention, [rows or 1, 1, 1, 1] of convolutions. `graph` is changed.
 * @throws ImpastoError `UNKNOWN_ARCHITECTURE` where the graph does not name one of the sites
 */
export function addInjections(graph: Graph, { sites, from }: InjectionOptions): Map<string, string> {
  const inputs = new Map<string, string>();
  const after = new Map<GraphNode, GraphNode[]>();
  const zero = 'injection/zero';
  const one = 'injection/one';
  const scalar = (name: string, dims: number[], data: Float32Array | BigInt64Array, dtype: 'float' | 'int64') =>
    graph.initializers.set(name, { name, dtype, dims, data: { inline: new Uint8Array(data.buffer as ArrayBuffer) } });
  scalar(zero, [1], BigInt64Array.of(0n), 'int64');
  scalar(one, [], Float32Array.of(1), 'float');
  for (const { path, weight } of sites) {
    const source = sourceOf(graph, path);
    const rank = isConvolution(path) ? 4 : 3;
    const input = inputs.get(weight) ?? `injection/${weight}`;
    if (!inputs.has(weight)) {
      inputs.set(weight, input);
      graph.inputs.push({ name: input, dtype: 'float', dims: ['injection_rows', ...Array(rank - 1).fill(1)] });
    }
    const at = (label: string) => `${path}/injected/${label}`;
    const [value] = source.outputs as [string];
    const own = `${value}/own`;
    source.outputs = [own];
    let injected = `injected/${path}`;
    const nodes: GraphNode[] = [];
    if (from === 'input') graph.inputs.push({ name: injected, dtype: 'float', dims: tapDims(path) });
    else {
      injected = at('first_row');
      nodes.push(node(injected, 'Gather', [own, zero]));
    }
    nodes.push(
      node(at('given'), 'Mul', [injected, input]),
      node(at('share'), 'Sub', [one, input]),
      node(at('kept'), 'Mul', [own, at('share')]),
      node(at('mixed'), 'Add', [at('given'), at('kept')], value),
    );
    after.set(source, nodes);
  }
  insertAfter(graph, after);
  return inputs;
}

const isConvolution = (path: string): boolean => /\.(conv\d|conv_shortcut|conv)$/.test(path);

const tapDims = (path: string): string[] =>
  isConvolution(path)
    ? ['tap_rows', 'tap_channels', 'tap_height', 'tap_width']
    : ['tap_rows', 'tap_places', 'tap_channels'];

function sourceOf(graph: Graph, path: string): GraphNode {
  const found = moduleOutput(graph, path);
  if (found) return found;
  throw new ImpastoError(
    'UNKNOWN_ARCHITECTURE',
    `This model has no layer ${path}, which this method needs.`,
    'Use a Stable Diffusion UNet with the usual blocks (SD 1.x, 2.x or SDXL), or leave the method out.',
  );
}
