import { ImpastoError } from '../../contract/errors.ts';
import { type DataType, dataTypes, type Graph, type GraphNode } from '../onnx/graph.ts';
import { type AdaptableModule, inputGate } from './adaptable-modules.ts';
import { int, node } from './edit.ts';

/**
 * The gated side branch: y = Wx + ((x A) . M) B on any Linear or convolution of a graph, authored or imported.
 *
 * The factors of all active adapters lie side by side along the rank axis: `A` [rank, in] (convolution: [rank, in, k, k])
 * and `B` [rank, out], inputs of the graph with a dynamic rank. The gate M carries strength, alpha/rank, region mask, step
 * schedule and which row uses which adapter. Adding, removing, re-weighing, masking and scheduling adapters are then
 * changes of input tensors; the session stays.
 *
 * All Linears share one rank and all convolutions another, since they share gates.
 *
 * DoRA rescales the base's own product too: W' = diag(m / |W + dW|) (W + dW) over outputs, or the same over inputs. With
 * the gain D = m / |W + dW| - 1 under a gate G that is y = (1 + G D) . Wx over outputs and y = W ((1 + G D) . x) over
 * inputs, beside a branch whose factors hold the gain: exact, for a product by elements and no dense delta.
 */

/** What a gain scales: a module's outputs, or its inputs. */
export const gainSides = ['out', 'in'] as const;
export type GainSide = (typeof gainSides)[number];

/** The form of a gate that Linears want, and the one that convolutions want. */
type GateForm = 'rows' | 'planes';

/** What a gate acts on: the ranks of a branch, or gains. */
export type GateKind = GateForm | `${GainSide}/${GateForm}`;

/** Factors are given in the precision of the modules, and where the graph picks also in half. */
export type FactorPrecision = 'half' | 'single';

export interface FactorInputs extends Factors, Partial<Record<GainSide, string>> {
  /** Where the graph picks: what is given in half precision. */
  half?: Factors;
}

/** Inputs that the pass adds to a graph. */
export interface SideBranchInputs {
  /** By module path: the names of its two factors, and those of its gains [gains, out] and [gains, in]. */
  factors: Map<string, FactorInputs>;
  /**
   * By gate: the names of its inputs. `rows` is [rows or 1, positions or 1, rank] for Linears; `planes` is
   * [rows or 1, rank, height or 1, width or 1] for convolutions; gates of gains have one number for each gain in place
   * of the rank's. An absent one is not used by any module.
   */
  gates: Map<string, Partial<Record<GateKind, string>>>;
  /**
   * Names of the inputs [rank] that say which rows of the factors act, for Linears and for convolutions: the rank axis is
   * the rows in half precision and then the others.
   */
  picks: Partial<Record<AdaptableModule['kind'], Record<FactorPrecision, string>>>;
}

export interface SideBranchOptions {
  /** A graph input whose first dimension is the number of rows. */
  batchOf: string;
  /**
   * Factors are given with others among them, and the graph picks the rows that act. Cheaper than laying them out anew
   * where memory is shared with the caller, dearer where inputs are uploaded.
   */
  picks?: boolean;
  gains?: readonly GainSide[];
}

const factorNames = (path: string): FactorInputs => ({ a: `lora_a/${path}`, b: `lora_b/${path}` });

/** From this opset on the operators used here have the form that they have in opset 17. */
const oldestOpset = 13;

/**
 * Adds a side branch to each of `modules` and returns the inputs that it added. `graph` is changed.
 * @throws ImpastoError `UNKNOWN_ARCHITECTURE` where the graph was exported in an opset older than 13
 */
export function addSideBranches(
  graph: Graph,
  modules: readonly AdaptableModule[],
  options: SideBranchOptions,
): SideBranchInputs {
  const opset = graph.opsets[''] ?? 0;
  if (opset < oldestOpset) {
    throw new ImpastoError(
      'UNKNOWN_ARCHITECTURE',
      `${graph.name || 'The ONNX model'} was exported in opset ${opset}, and adapters need opset ${oldestOpset} or newer.`,
      'Export the model again (Optimum writes opset 14 or newer), or use the original checkpoint.',
    );
  }
  const edit = new Edit(graph, options);
  for (const module of modules) edit.branch(module);
  edit.commit();
  return edit.inputs;
}

/** Collects what is inserted around each node, so that the graph stays in topological order. */
class Edit {
  readonly inputs: SideBranchInputs = { factors: new Map(), gates: new Map(), picks: {} };
  readonly #graph: Graph;
  readonly #options: SideBranchOptions;
  readonly #head: GraphNode[] = [];
  readonly #around = new Map<GraphNode, { before: GraphNode[]; after: GraphNode[] }>();
  readonly #known = new Set<string>();

  constructor(graph: Graph, options: SideBranchOptions) {
    this.#graph = graph;
    this.#options = options;
  }

  branch(module: AdaptableModule): void {
    const { path, node: target } = module;
    const names = factorNames(path);
    this.inputs.factors.set(path, names);
    const x = target.inputs[0] as string;
    const y = target.outputs[0] as string;
    const before: GraphNode[] = [];
    const after: GraphNode[] = [];
    for (const side of this.#options.gains ?? []) names[side] = this.#gainInput(module, side);
    if (names.in !== undefined) target.inputs[0] = this.#scaled(module, 'in', names.in, x, undefined, before);
    let plain = `${y}/plain`;
    // The sum takes the old name, and so every reader of it.
    target.outputs = [plain];
    if (names.out !== undefined) plain = this.#scaled(module, 'out', names.out, plain, target.inputs[2], after);
    const factors = this.#factors(module, names, after);
    const place = { x, plain, y };
    after.push(
      ...(module.kind === 'linear' ? this.#linear(module, factors, place) : this.#conv(module, factors, place)),
    );
    this.#around.set(target, { before, after });
  }

  commit(): void {
    this.#graph.nodes = [
      ...this.#head,
      ...this.#graph.nodes.flatMap((original) => {
        const { before = [], after = [] } = this.#around.get(original) ?? {};
        return [...before, original, ...after];
      }),
    ];
  }

  /** The module's factors with the ranks that act. */
  #factors(module: AdaptableModule, names: FactorInputs, nodes: GraphNode[]): { a: string; b: string } {
    const { path, kind, in: width, out, kernel, dtype } = module;
    const sides = { a: [width, ...kernel], b: [out] };
    if (!this.#options.picks) {
      for (const side of ['a', 'b'] as const) this.#input(names[side], dtype, [`lora_${kind}_rank`, ...sides[side]]);
      return names;
    }
    const half = { a: `lora_a_half/${path}`, b: `lora_b_half/${path}` };
    names.half = half;
    const picks = this.#picks(kind);
    const picked = (side: 'a' | 'b'): string => {
      const at = (label: string) => `${path}/lora/${side}${label}`;
      this.#input(half[side], 'float16', [`lora_${kind}_held_half`, ...sides[side]]);
      this.#input(names[side], dtype, [`lora_${kind}_held`, ...sides[side]]);
      nodes.push(
        node(at('/half'), 'Gather', [half[side], picks.half], at('/half')),
        node(at('/widened'), 'Cast', [at('/half')], at('/widened'), { to: int(dataTypes[dtype]) }),
        node(at('/single'), 'Gather', [names[side], picks.single], at('/single')),
        node(at(''), 'Concat', [at('/widened'), at('/single')], at(''), { axis: int(0) }),
      );
      return at('');
    };
    return { a: picked('a'), b: picked('b') };
  }

  /** Inputs that say which rows act; `lora/picks_KIND` holds those of both precisions. */
  #picks(kind: AdaptableModule['kind']): Record<FactorPrecision, string> {
    const picks = { half: `lora_picks_half/${kind}`, single: `lora_picks/${kind}` };
    this.inputs.picks[kind] = picks;
    for (const precision of ['half', 'single'] as const) {
      this.#input(picks[precision], 'int64', [`lora_${kind}_${precision}`]);
    }
    const all = `lora/picks_${kind}`;
    if (this.#once(all)) {
      this.#head.push(node(all, 'Concat', [picks.half, picks.single], all, { axis: int(0) }));
    }
    return picks;
  }

  #linear(module: AdaptableModule, { a, b }: Factors, { x, plain, y }: Place): GraphNode[] {
    const { path, node: target, in: width } = module;
    const at = (label: string) => `${path}/lora/${label}`;
    const gate = this.#gate(module, module.gate, 'rows', 'lora_linear_rank');
    this.#ranks(this.inputs.picks.linear ? 'lora/picks_linear' : a);
    // A Gemm's rows are [batch * positions, in] already; a MatMul's have leading dimensions of their own.
    const flat = target.op === 'Gemm';
    const nodes = [
      node(at('down'), 'Gemm', [flat ? x : at('x'), a], at('down'), { transB: int(1) }),
      node(at('rows'), 'Reshape', [at('down'), 'lora/split'], at('rows')),
      node(at('gated'), 'Mul', [at('rows'), gate], at('gated')),
      node(at('joined'), 'Reshape', [at('gated'), 'lora/join'], at('joined')),
    ];
    if (flat) return [...nodes, node(at('sum'), 'Gemm', [at('joined'), b, plain], y)];
    return [
      node(at('x'), 'Reshape', [x, this.#constant(`lora/flat_${width}`, [-1, width])], at('x')),
      ...nodes,
      node(at('up'), 'Gemm', [at('joined'), b], at('up')),
      node(at('like'), 'Shape', [plain], at('like')),
      node(at('delta'), 'Reshape', [at('up'), at('like')], at('delta')),
      node(at('sum'), 'Add', [plain, at('delta')], y),
    ];
  }

  #conv(module: AdaptableModule, { a, b }: Factors, { x, plain, y }: Place): GraphNode[] {
    const { path, node: target } = module;
    const at = (label: string) => `${path}/lora/${label}`;
    const gate = this.#gate(module, module.gate, 'planes', 'lora_conv_rank');
    const { strides, pads, dilations, auto_pad } = target.attributes;
    const geometry = {
      ...(strides ? { strides } : {}),
      ...(pads ? { pads } : {}),
      ...(dilations ? { dilations } : {}),
      ...(auto_pad ? { auto_pad } : {}),
    };
    return [
      node(at('down'), 'Conv', [x, a], at('down'), geometry),
      node(at('gated'), 'Mul', [at('down'), gate], at('gated')),
      ...this.#pointwise(b, at('kernel')),
      node(at('up'), 'Conv', [at('gated'), at('kernel')], at('up')),
      node(at('sum'), 'Add', [plain, at('up')], y),
    ];
  }

  /** [n, out] as the kernel [out, n, 1, 1] of a convolution. */
  #pointwise(matrix: string, kernel: string): GraphNode[] {
    const turned = `${kernel}/turned`;
    return [
      node(turned, 'Transpose', [matrix], turned, { perm: { type: 'ints', value: [1, 0] } }),
      node(kernel, 'Unsqueeze', [turned, this.#constant('lora/last_two', [2, 3])], kernel),
    ];
  }

  #gainInput({ path, in: width, out, dtype }: AdaptableModule, side: GainSide): string {
    const name = `lora_gain/${side}/${path}`;
    this.#input(name, dtype, [`lora_gains_${side}`, side === 'out' ? out : width]);
    return name;
  }

  /**
   * `value` times 1 + the gated gains; what a bias added to it stays as it was.
   * @returns the name of the product
   */
  #scaled(
    module: AdaptableModule,
    side: GainSide,
    gains: string,
    value: string,
    bias: string | undefined,
    nodes: GraphNode[],
  ): string {
    const { path, kind, in: width, out, dtype } = module;
    const at = (label: string) => `${path}/lora/${side}/${label}`;
    const one = this.#one(dtype);
    const size = side === 'out' ? out : width;
    const place = side === 'out' ? module.gate : inputGate(module);
    const form = kind === 'linear' ? 'rows' : 'planes';
    const gate = this.#gate(module, place, `${side}/${form}`, `lora_gains_${side}`);
    if (form === 'rows') nodes.push(node(at('gain'), 'MatMul', [gate, gains], at('gain')));
    else
      nodes.push(...this.#pointwise(gains, at('kernel')), node(at('gain'), 'Conv', [gate, at('kernel')], at('gain')));
    nodes.push(node(at('factor'), 'Add', [at('gain'), one], at('factor')));
    let scaled = value;
    const push = (label: string, op: string, inputs: string[]) => {
      nodes.push(node(at(label), op, inputs, at(label)));
      scaled = at(label);
    };
    if (form === 'rows') {
      nodes.push(node(at('like'), 'Shape', [value], at('like')));
      push('positions', 'Reshape', [value, this.#positions(size)]);
    }
    push('scaled', 'Mul', [scaled, at('factor')]);
    if (bias !== undefined && bias !== '') {
      const channels = form === 'rows' ? bias : at('channels');
      if (form === 'planes') {
        nodes.push(node(channels, 'Unsqueeze', [bias, this.#constant('lora/planes', [1, 2])], channels));
      }
      nodes.push(node(at('shift'), 'Mul', [channels, at('gain')], at('shift')));
      push('unshifted', 'Sub', [scaled, at('shift')]);
    }
    if (form === 'rows') push('shaped', 'Reshape', [scaled, at('like')]);
    return scaled;
  }

  /** The input of a gate, shared by all modules of its place. */
  #gate({ dtype }: AdaptableModule, place: string, kind: GateKind, axis: string): string {
    const known = this.inputs.gates.get(place) ?? {};
    this.inputs.gates.set(place, known);
    const name = `lora_gate/${place}/${kind}`;
    known[kind] = name;
    const rows = `gate_rows_${place}?`;
    const dims = kind.endsWith('rows')
      ? [rows, `gate_positions_${place}?`, axis]
      : [rows, axis, `gate_height_${place}?`, `gate_width_${place}?`];
    this.#input(name, dtype, dims);
    return name;
  }

  /** `lora/batch` [1]: the number of rows. */
  #batch(): string {
    if (this.#once('lora/batch')) {
      const first = this.#constant('lora/first', [0]);
      this.#head.push(
        node('lora/batch_shape', 'Shape', [this.#options.batchOf], 'lora/batch_shape'),
        node('lora/batch', 'Gather', ['lora/batch_shape', first], 'lora/batch'),
      );
    }
    return 'lora/batch';
  }

  /** `lora/split` [rows, positions, rank] and `lora/join` [rows * positions, rank], once for all Linears. */
  #ranks(of: string): void {
    if (!this.#once('lora/split')) return;
    const first = this.#constant('lora/first', [0]);
    const rest = this.#constant('lora/rest', [-1]);
    const batch = this.#batch();
    this.#head.push(
      node('lora/rank_shape', 'Shape', [of], 'lora/rank_shape'),
      node('lora/rank', 'Gather', ['lora/rank_shape', first], 'lora/rank'),
      node('lora/split', 'Concat', [batch, rest, 'lora/rank'], 'lora/split', { axis: int(0) }),
      node('lora/join', 'Concat', [rest, 'lora/rank'], 'lora/join', { axis: int(0) }),
    );
  }

  /** The shape [rows, positions, size]. */
  #positions(size: number): string {
    const name = `lora/positions_${size}`;
    if (this.#once(name)) {
      const tail = this.#constant(`lora/tail_${size}`, [-1, size]);
      this.#head.push(node(name, 'Concat', [this.#batch(), tail], name, { axis: int(0) }));
    }
    return name;
  }

  #once(name: string): boolean {
    if (this.#known.has(name)) return false;
    this.#known.add(name);
    return true;
  }

  #input(name: string, dtype: DataType, dims: readonly (number | string)[]): void {
    if (this.#once(name)) this.#graph.inputs.push({ name, dtype, dims });
  }

  #constant(name: string, values: readonly number[]): string {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.#graph.initializers.set(name, { name, dtype: 'int64', dims: [values.length], data: { inline: bytes } });
    return name;
  }

  #one(dtype: DataType): string {
    const name = `lora/one_${dtype}`;
    const array =
      dtype === 'float16' ? Float16Array.of(1) : dtype === 'double' ? Float64Array.of(1) : Float32Array.of(1);
    const bytes = new Uint8Array(array.buffer);
    this.#graph.initializers.set(name, { name, dtype, dims: [1], data: { inline: bytes } });
    return name;
  }
}

/** Names of a module's two factors. */
interface Factors {
  a: string;
  b: string;
}

/** Names of a module's input, of the base's own output, and of the one that its readers take. */
interface Place {
  x: string;
  plain: string;
  y: string;
}
