import { ImpastoError } from '../../../contract/errors.ts';
import type { AdapterLayer } from '../../../models/adapters/adapter.ts';
import type { AdaptableModule } from '../../../models/passes/adaptable-modules.ts';
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
  /** A [rank, in(, k, k)] and B [rank, out] of a module. B holds alpha/rank. */
  factors(path: string): { a: Tensor; b: Tensor };
}

interface Slot {
  id: string;
  rank: RankCounts;
  paths: ReadonlySet<string>;
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

/**
 * ONNX Runtime's CPU kernel sums a product over runs of 128: within one run ranks under a gate of zero change no bit of
 * the sum, so that they can stay where they are.
 */
const sumRun = 128;

/** Room for adapters to come. Until they do, its pages are never touched and take no memory. */
const spareRanks = 128;

/** Bytes of adapters kept though the last picture did not use them. */
const idleBytes = 512e6;

/**
 * The factors of a network's opened adapters, laid side by side along the rank axis once, when an adapter is opened:
 * per module A as [rank, in] and B as [rank, out], so that neighbours are one run of memory. Choosing other adapters among
 * those opened then takes a view of that memory and copies nothing, but where ranks that are not asked for lie between
 * and would change the last bits of a sum.
 *
 * The order is that of the identities, whatever was opened first: the same adapters give the same numbers.
 */
export class FactorStack {
  readonly #modules = new Map<string, Factors>();
  #slots: Slot[] = [];
  #clock = 0;
  /** Grows as ranks move: a selection's places hold for one layout. */
  #layout = 0;
  #zeros = new Float32Array(0);
  #layouts = new Map<string, Selection>();

  constructor(modules: Iterable<StackModule>) {
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
   * @returns by adapter, paths of its layers that this network does not have
   * @throws ImpastoError `ADAPTER_WRONG_BASE` where a layer's size is not its module's
   */
  add(entries: readonly StackEntry[], keep: ReadonlySet<string>): Map<string, string[]> {
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
    this.#relay(this.#withoutIdle(slots, new Set([...keep, ...added.keys()])), added);
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
    const made = this.#selection(key, wanted);
    this.#layouts.set(key, made);
    // Copies are held by their selections: a few of them bound the memory.
    for (const oldest of [...this.#layouts.keys()].slice(0, -4)) this.#layouts.delete(oldest);
    return made;
  }

  #slot(id: string, layers: ReadonlyMap<string, AdapterLayer>): Slot {
    const rank = { linear: 0, conv: 0 };
    let bytes = 0;
    for (const [path, { rank: own, down, up }] of layers) {
      const { kind } = (this.#modules.get(path) as Factors).module;
      rank[kind] = Math.max(rank[kind], own);
      bytes += 4 * (down.length + up.length);
    }
    return { id, rank, paths: new Set(layers.keys()), bytes, used: ++this.#clock };
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
   * that is held is written behind it, into room kept for that; else a module's factors are laid out anew, so that
   * selections in use keep theirs.
   */
  #relay(slots: Slot[], added: ReadonlyMap<string, ReadonlyMap<string, AdapterLayer>>): void {
    const before = offsets(this.#slots);
    const after = offsets(slots);
    const appends = this.#slots.every((slot, index) => slots[index] === slot);
    const total = { linear: 0, conv: 0 };
    for (const { rank } of slots) for (const axis of axes) total[axis] += rank[axis];
    for (const [path, factors] of this.#modules) {
      const { module } = factors;
      if (!slots.some((slot) => slot.paths.has(path))) {
        factors.data = null;
        continue;
      }
      const [inner, out] = [innerSize(module), module.out];
      const held = factors.data;
      const inPlace = held !== null && appends && held.b.length >= total[module.kind] * out;
      const room = total[module.kind] + spareRanks;
      const data = inPlace ? held : { a: new Float32Array(room * inner), b: new Float32Array(room * out) };
      for (const slot of slots) {
        const layer = added.get(slot.id)?.get(path);
        const at = (after.get(slot.id) as RankCounts)[module.kind];
        if (layer) {
          data.a.set(layer.down, at * inner);
          turnInto(data.b, at * out, layer);
        } else if (held && !inPlace && slot.paths.has(path)) {
          const from = (before.get(slot.id) as RankCounts)[module.kind];
          const rank = slot.rank[module.kind];
          data.a.set(held.a.subarray(from * inner, (from + rank) * inner), at * inner);
          data.b.set(held.b.subarray(from * out, (from + rank) * out), at * out);
        }
      }
      factors.data = data;
    }
    this.#slots = slots;
    this.#layout += 1;
    this.#layouts.clear();
  }

  #selection(key: string, wanted: ReadonlySet<string>): Selection {
    const { linear, conv } = { linear: this.#axis('linear', wanted), conv: this.#axis('conv', wanted) };
    const plans = { linear, conv };
    const memo = new Map<string, { a: Tensor; b: Tensor }>();
    return {
      key,
      linear: linear.axis,
      conv: conv.axis,
      factors: (path) => {
        const known = memo.get(path);
        if (known) return known;
        const factors = this.#modules.get(path);
        if (!factors) throw new Error(`the stack has no module ${path}`);
        const { module, data } = factors;
        const plan = plans[module.kind];
        const made = {
          a: {
            data: this.#rows(data?.a, innerSize(module), plan),
            shape: [plan.axis.rank, module.in, ...module.kernel],
          },
          b: { data: this.#rows(data?.b, module.out, plan), shape: [plan.axis.rank, module.out] },
        };
        memo.set(path, made);
        return made;
      },
    };
  }

  /** Which runs of the stack's ranks make up a selection's axis. */
  #axis(kind: (typeof axes)[number], wanted: ReadonlySet<string>): AxisPlan {
    const at = offsets(this.#slots);
    const present = this.#slots.filter((slot) => slot.rank[kind] > 0);
    const chosen = present.filter(({ id }) => wanted.has(id));
    const [first, last] = [chosen[0], chosen[chosen.length - 1]];
    if (!first || !last) return { runs: [], axis: { rank: 1, spans: new Map() } };
    const offset = (slot: Slot) => (at.get(slot.id) as RankCounts)[kind];
    const start = offset(first);
    const rank = offset(last) + last.rank[kind] - start;
    const gaps = rank > chosen.reduce((sum, slot) => sum + slot.rank[kind], 0);
    if (!gaps || rank <= sumRun) {
      const spans = new Map(chosen.map((slot) => [slot.id, { offset: offset(slot) - start, rank: slot.rank[kind] }]));
      return { runs: [{ offset: start, rank }], axis: { rank, spans } };
    }
    const spans = new Map<string, RankSpan>();
    let total = 0;
    for (const slot of chosen) {
      spans.set(slot.id, { offset: total, rank: slot.rank[kind] });
      total += slot.rank[kind];
    }
    const runs = chosen.map((slot) => ({ offset: offset(slot), rank: slot.rank[kind] }));
    return { runs, axis: { rank: total, spans } };
  }

  /** The plan's rows of a factor: a view where they are one run. */
  #rows(data: Float32Array | undefined, width: number, { runs, axis }: AxisPlan): Float32Array {
    const [only, ...more] = runs;
    if (!data || !only) return this.#blank(axis.rank * width);
    const rows = ({ offset, rank }: RankSpan) => data.subarray(offset * width, (offset + rank) * width);
    if (more.length === 0) return rows(only);
    const joined = new Float32Array(axis.rank * width);
    let at = 0;
    for (const run of runs) {
      joined.set(rows(run), at);
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
  runs: RankSpan[];
  axis: RankAxis;
}

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
  const { rank, down, up, out, path } = layer;
  const fits = down.length === rank * innerSize(module) && out === module.out && up.length === rank * out;
  if (fits) return;
  throw new ImpastoError(
    'ADAPTER_WRONG_BASE',
    `The adapter's layer ${path} is made for ${down.length / rank} inputs and ${out} outputs, the model's has ${innerSize(module)} and ${module.out}.`,
    'Use an adapter that was made for this kind of model.',
  );
}
