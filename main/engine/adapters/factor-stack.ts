import { ImpastoError } from '../../../contract/errors.ts';
import type { AdapterLayer } from '../../../models/adapters/adapter.ts';
import type { AdaptableModule } from '../../../models/passes/adaptable-modules.ts';
import type { GainSide } from '../../../models/passes/side-branch.ts';
import type { Tensor } from '../runtime/tensor.ts';

/** What the stack needs to know of a module. */
export type StackModule = Pick<AdaptableModule, 'path' | 'kind' | 'in' | 'out' | 'kernel'>;

/** The factors of one adapter for one network. */
export interface StackEntry {
  /** Identity of the adapter's file. */
  id: string;
  layers: readonly AdapterLayer[];
}

/** Where an adapter's ranks lie on an axis. */
export interface RankSpan {
  offset: number;
  rank: number;
}

/** The rank axis of a selection: its length, at least 1, and each adapter's part of it. */
export interface RankAxis {
  rank: number;
  spans: ReadonlyMap<string, RankSpan>;
}

/** The factors of some adapters side by side, as the graph takes them. */
export interface Selection {
  /** Names the layout: gates made for one key fit no other. */
  key: string;
  linear: RankAxis;
  conv: RankAxis;
  /** One place for each adapter that has gains of a side. */
  gains: Readonly<Record<GainSide, RankAxis>>;
  /** For a graph that picks: which rows of the factors make up each axis. */
  picks: Readonly<Record<StackModule['kind'], Tensor>>;
  /** A [rank, in(, k, k)] and B [rank, out] of a module. B holds alpha/rank. For a graph that picks, with others between. */
  factors(path: string): { a: Tensor; b: Tensor };
  /** Gains of a module, [gains, out] or [gains, in]: zeros where an adapter has none there. */
  gain(path: string, side: GainSide): Tensor;
}

interface Slot {
  id: string;
  rank: RankCounts;
  paths: ReadonlySet<string>;
  gains: Readonly<Record<GainSide, ReadonlyMap<string, Float32Array>>>;
  bytes: number;
  used: number;
}

type RankCounts = Record<StackModule['kind'], number>;

interface Factors {
  module: StackModule;
  /** Absent where no adapter in the stack has this layer. */
  data: { a: Float32Array; b: Float32Array } | null;
}

const axes = ['linear', 'conv'] as const;

/** Room for adapters to come. Until they do, its pages are not touched and take no memory. */
const spareRanks = 128;

/** Bytes of adapters kept though the last picture did not use them. */
const idleBytes = 512e6;

/**
 * The factors of a network's opened adapters, laid side by side along the rank axis once, when an adapter is opened:
 * per module A as [rank, in] and B as [rank, out], so that neighbours are one run of memory. Choosing among those opened
 * copies nothing where the graph picks the ranks itself, since views of that memory and a list of rows are all that
 * changes; for a graph that does not, factors that are no neighbours are laid out anew.
 *
 * The order is that of the identities, whatever was opened first: the same adapters give the same numbers.
 */
export class FactorStack {
  readonly #modules = new Map<string, Factors>();
  readonly #picks: boolean;
  #slots: Slot[] = [];
  #clock = 0;
  /** Grows as ranks move: a selection's places hold for one layout. */
  #layout = 0;
  #zeros = new Float32Array(0);
  #layouts = new Map<string, Selection>();

  /** @param picks the graph picks the ranks that act */
  constructor(modules: Iterable<StackModule>, picks: boolean) {
    this.#picks = picks;
    for (const module of modules) this.#modules.set(module.path, { module, data: null });
  }

  has(id: string): boolean {
    return this.#slots.some((slot) => slot.id === id);
  }

  /** Bytes of the factors held. */
  get bytes(): number {
    return this.#slots.reduce((sum, slot) => sum + slot.bytes, 0);
  }

  /**
   * Lays new adapters beside those held. Adapters that are neither new nor in `keep` give way, the longest unused
   * first, where they take much memory.
   * @param share of all that is to be added soon, what part this is: room is kept for the rest
   * @returns by adapter, paths of its layers that this network does not have
   * @throws ImpastoError `ADAPTER_WRONG_BASE` where a layer's size is not its module's
   */
  add(entries: readonly StackEntry[], keep: ReadonlySet<string>, share = 1): Map<string, string[]> {
    const unplaced = new Map<string, string[]>();
    const added = new Map<string, Map<string, AdapterLayer>>();
    const slots = this.#slots.filter(({ id }) => !entries.some((entry) => entry.id === id));
    for (const { id, layers } of entries) {
      const placed = new Map<string, AdapterLayer>();
      for (const layer of layers) {
        const known = this.#modules.get(layer.path);
        if (!known) {
          unplaced.set(id, [...(unplaced.get(id) ?? []), layer.path]);
          continue;
        }
        assertSize(layer, known.module);
        placed.set(layer.path, layer);
      }
      added.set(id, placed);
      slots.push(this.#slot(id, placed));
    }
    this.#relay(this.#withoutIdle(slots, new Set([...keep, ...added.keys()])), added, share);
    return unplaced;
  }

  /** The factors of the adapters named, which must all be held. */
  select(ids: readonly string[]): Selection {
    const wanted = new Set(ids);
    const chosen = this.#slots.filter(({ id }) => wanted.has(id));
    for (const slot of chosen) slot.used = ++this.#clock;
    const key = `${this.#layout} ${JSON.stringify(chosen.map(({ id }) => id))}`;
    const known = this.#layouts.get(key);
    if (known) return known;
    const made = this.#selection(key, chosen);
    this.#layouts.set(key, made);
    // Copies are held by their selections: a few of them bound the memory.
    for (const oldest of [...this.#layouts.keys()].slice(0, -4)) this.#layouts.delete(oldest);
    return made;
  }

  #slot(id: string, layers: ReadonlyMap<string, AdapterLayer>): Slot {
    const rank = { linear: 0, conv: 0 };
    const gains = { out: new Map<string, Float32Array>(), in: new Map<string, Float32Array>() };
    let bytes = 0;
    for (const [path, { rank: own, down, up, gain }] of layers) {
      const { kind } = (this.#modules.get(path) as Factors).module;
      rank[kind] = Math.max(rank[kind], own);
      bytes += 4 * (down.length + up.length);
      if (gain) gains[gain.side].set(path, gain.values);
    }
    return { id, rank, paths: new Set(layers.keys()), gains, bytes, used: ++this.#clock };
  }

  #withoutIdle(slots: Slot[], keep: ReadonlySet<string>): Slot[] {
    const idle = slots.filter(({ id }) => !keep.has(id)).sort((a, b) => b.used - a.used);
    let bytes = 0;
    const given = new Set<Slot>();
    for (const slot of idle) {
      bytes += slot.bytes;
      if (bytes > idleBytes) given.add(slot);
    }
    return slots.filter((slot) => !given.has(slot)).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /**
   * Lays the slots out, module by module: ranks that an adapter does not have in a module are zeros. What comes after all
   * that is held is written behind it, into room kept for that; else all is laid out anew, so that selections in use keep
   * theirs.
   */
  #relay(slots: Slot[], added: ReadonlyMap<string, ReadonlyMap<string, AdapterLayer>>, share: number): void {
    const before = offsets(this.#slots);
    const after = offsets(slots);
    const appends = this.#slots.every((slot, index) => slots[index] === slot);
    const total = { linear: 0, conv: 0 };
    const coming = { linear: spareRanks, conv: spareRanks };
    for (const { id, rank } of slots) {
      for (const axis of axes) {
        total[axis] += rank[axis];
        if (added.has(id)) coming[axis] += Math.ceil(rank[axis] * (1 / share - 1));
      }
    }
    const wanted = [...this.#modules.values()].filter(({ module }) =>
      slots.some(({ paths }) => paths.has(module.path)),
    );
    const inPlace =
      appends && wanted.every(({ module, data }) => data && data.b.length >= total[module.kind] * module.out);
    const room = (module: StackModule) => total[module.kind] + coming[module.kind];
    // One block for all: the system hands out blocks of this size untouched, and takes them back whole.
    const place = inPlace
      ? null
      : placesIn(wanted.map(({ module }) => room(module) * (innerSize(module) + module.out)));
    for (const [index, factors] of wanted.entries()) {
      const { module, data: held } = factors;
      const [inner, out] = [innerSize(module), module.out];
      const own = place?.(index);
      const data = own ? { a: own.subarray(0, room(module) * inner), b: own.subarray(room(module) * inner) } : held;
      if (!data) throw new Error('factors without a place');
      for (const slot of slots) {
        const layer = added.get(slot.id)?.get(module.path);
        const at = (after.get(slot.id) as RankCounts)[module.kind];
        if (layer) {
          data.a.set(layer.down, at * inner);
          turnInto(data.b, at * out, layer);
        } else if (held && own && slot.paths.has(module.path)) {
          const from = (before.get(slot.id) as RankCounts)[module.kind];
          const rank = slot.rank[module.kind];
          data.a.set(held.a.subarray(from * inner, (from + rank) * inner), at * inner);
          data.b.set(held.b.subarray(from * out, (from + rank) * out), at * out);
        }
      }
      factors.data = data;
    }
    if (!inPlace) for (const factors of this.#modules.values()) if (!wanted.includes(factors)) factors.data = null;
    this.#slots = slots;
    this.#layout += 1;
    this.#layouts.clear();
  }

  #selection(key: string, chosen: readonly Slot[]): Selection {
    const plans = { linear: this.#plan('linear', chosen), conv: this.#plan('conv', chosen) };
    const memo = new Map<string, { a: Tensor; b: Tensor }>();
    const gained = {
      out: chosen.filter(({ gains }) => gains.out.size > 0),
      in: chosen.filter(({ gains }) => gains.in.size > 0),
    };
    return {
      key,
      linear: plans.linear.axis,
      conv: plans.conv.axis,
      gains: {
        out: axisOf(gained.out.map(({ id }) => ({ id, rank: 1 }))),
        in: axisOf(gained.in.map(({ id }) => ({ id, rank: 1 }))),
      },
      picks: { linear: plans.linear.picks, conv: plans.conv.picks },
      factors: (path) => {
        const known = memo.get(path);
        if (known) return known;
        const { module, data } = this.#module(path);
        const plan = plans[module.kind];
        const made = {
          a: { data: this.#rows(data?.a, innerSize(module), plan), shape: [plan.rows, module.in, ...module.kernel] },
          b: { data: this.#rows(data?.b, module.out, plan), shape: [plan.rows, module.out] },
        };
        memo.set(path, made);
        return made;
      },
      gain: (path, side) => {
        const { module } = this.#module(path);
        const size = side === 'out' ? module.out : module.in;
        const rows = Math.max(1, gained[side].length);
        const own = gained[side].map(({ gains }) => gains[side].get(path));
        if (own.every((values) => values === undefined)) return { data: this.#blank(rows * size), shape: [rows, size] };
        const joined = new Float32Array(rows * size);
        for (const [row, values] of own.entries()) if (values) joined.set(values, row * size);
        return { data: joined, shape: [rows, size] };
      },
    };
  }

  #module(path: string): Factors {
    const factors = this.#modules.get(path);
    if (!factors) throw new Error(`the stack has no module ${path}`);
    return factors;
  }

  /** Which of the stack's ranks make up a selection's axis, and how they are handed over. */
  #plan(kind: (typeof axes)[number], slots: readonly Slot[]): AxisPlan {
    const at = offsets(this.#slots);
    const chosen = slots.filter((slot) => slot.rank[kind] > 0);
    const axis = axisOf(chosen.map(({ id, rank }) => ({ id, rank: rank[kind] })));
    const runs: RankSpan[] = [];
    for (const { id, rank } of chosen) {
      const offset = (at.get(id) as RankCounts)[kind];
      const last = runs.at(-1);
      if (last && last.offset + last.rank === offset) last.rank += rank[kind];
      else runs.push({ offset, rank: rank[kind] });
    }
    const [first, last] = [runs[0], runs.at(-1)];
    if (!first || !last) return { axis, runs: [], rows: 1, picks: indices([0]) };
    const picked = runs.flatMap(({ offset, rank }) =>
      Array.from({ length: rank }, (_, row) => offset - first.offset + row),
    );
    if (!this.#picks) return { axis, runs, rows: axis.rank, picks: indices(picked) };
    const whole = { offset: first.offset, rank: last.offset + last.rank - first.offset };
    return { axis, runs: [whole], rows: whole.rank, picks: indices(picked) };
  }

  /** The plan's rows of a factor: a view where they are one run. */
  #rows(data: Float32Array | undefined, width: number, { runs, rows }: AxisPlan): Float32Array {
    const [only, ...more] = runs;
    if (!data || !only) return this.#blank(rows * width);
    const view = ({ offset, rank }: RankSpan) => data.subarray(offset * width, (offset + rank) * width);
    if (more.length === 0) return view(only);
    const joined = new Float32Array(rows * width);
    let at = 0;
    for (const run of runs) {
      joined.set(view(run), at);
      at += run.rank * width;
    }
    return joined;
  }

  /** Zeros, shared by every module that no adapter has a layer for. */
  #blank(length: number): Float32Array {
    if (this.#zeros.length < length) this.#zeros = new Float32Array(length);
    return this.#zeros.subarray(0, length);
  }
}

interface AxisPlan {
  axis: RankAxis;
  /** Runs of the stack's ranks that are handed over. */
  runs: readonly RankSpan[];
  /** Ranks of all runs, at least 1. */
  rows: number;
  /** Of those, the ones that make up the axis. */
  picks: Tensor;
}

/** Parts of one block of memory, by index. */
function placesIn(lengths: readonly number[]): (index: number) => Float32Array {
  const block = new Float32Array(lengths.reduce((sum, length) => sum + length, 0));
  const starts: number[] = [];
  let at = 0;
  for (const length of lengths) {
    starts.push(at);
    at += length;
  }
  return (index) => block.subarray(starts[index], (starts[index] as number) + (lengths[index] as number));
}

function axisOf(parts: readonly { id: string; rank: number }[]): RankAxis {
  const spans = new Map<string, RankSpan>();
  let total = 0;
  for (const { id, rank } of parts) {
    spans.set(id, { offset: total, rank });
    total += rank;
  }
  return { rank: Math.max(1, total), spans };
}

const indices = (rows: readonly number[]): Tensor => ({ data: BigInt64Array.from(rows, BigInt), shape: [rows.length] });

function offsets(slots: readonly Slot[]): Map<string, RankCounts> {
  const found = new Map<string, RankCounts>();
  const at = { linear: 0, conv: 0 };
  for (const { id, rank } of slots) {
    found.set(id, { ...at });
    for (const axis of axes) at[axis] += rank[axis];
  }
  return found;
}

const innerSize = ({ in: width, kernel }: StackModule): number => kernel.reduce((a, b) => a * b, width);

/** Writes up [out, rank], times its scale, as [rank, out]. */
function turnInto(target: Float32Array, start: number, { up, out, rank, scale }: AdapterLayer): void {
  for (let row = 0; row < out; row++) {
    for (let at = 0; at < rank; at++) target[start + at * out + row] = scale * (up[row * rank + at] as number);
  }
}

function assertSize(layer: AdapterLayer, module: StackModule): void {
  const { rank, down, up, out, path, gain } = layer;
  const gains = gain === undefined || gain.values.length === (gain.side === 'out' ? module.out : module.in);
  const fits = down.length === rank * innerSize(module) && out === module.out && up.length === rank * out && gains;
  if (fits) return;
  throw new ImpastoError(
    'ADAPTER_WRONG_BASE',
    `The adapter's layer ${path} is made for ${down.length / rank} inputs and ${out} outputs, the model's has ${innerSize(module)} and ${module.out}.`,
    'Use an adapter that was made for this kind of model.',
  );
}
