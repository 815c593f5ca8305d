import { ImpastoError } from '../../../contract/errors.ts';
import type { AdapterLayer, FactorValues } from '../../../models/adapters/adapter.ts';
import type { AdaptableModule } from '../../../models/passes/adaptable-modules.ts';
import type { GainSide } from '../../../models/passes/side-branch.ts';
import type { Tensor } from '../runtime/tensor.ts';

/** What a bank needs to know of a module. */
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
  /** What its gate is multiplied by: alpha/rank, where the factors do not hold it. */
  scale: number;
}

/** One adapter in a bank. */
export interface Slot {
  id: string;
  rank: RankCounts;
  scale: RankCounts;
  gains: Readonly<Record<GainSide, ReadonlyMap<string, Float32Array>>>;
}

interface HeldSlot extends Slot {
  paths: ReadonlySet<string>;
  bytes: number;
  used: number;
}

export type RankCounts = Record<StackModule['kind'], number>;

/** A [rank, in(, k, k)] and B [rank, out] of a module. */
export interface FactorPair {
  a: Tensor;
  b: Tensor;
}

/** Some of a bank's adapters. */
export interface BankSelection {
  slots: readonly Slot[];
  /** By axis: their ranks in all, and for a graph that picks the rows of the factors that they are. */
  ranks: RankCounts;
  rows: Readonly<Record<StackModule['kind'], readonly number[]>>;
  /** Factors of at least one rank: zeros where there is none. For a graph that picks, with others between. */
  factors(path: string): FactorPair;
}

interface Factors {
  module: StackModule;
  /** Absent where no adapter in the bank has this layer. */
  data: { a: FactorValues; b: FactorValues } | null;
}

const axes = ['linear', 'conv'] as const;

/** Room for adapters to come. Until they do, its pages are not touched and take no memory. */
const spareRanks = 128;

/** Bytes of adapters kept though the last picture did not use them. */
const idleBytes = 256e6;

/**
 * Factors of one precision, laid side by side along the rank axis once, when an adapter is opened: per module A as
 * [rank, in] and B as [rank, out], so that neighbours are one run of memory. In single precision B holds alpha/rank; halves
 * stay as their file has them, and their gate holds it.
 *
 * The order is that of the identities, whatever was opened first: the same adapters give the same numbers.
 */
export class FactorBank {
  readonly #modules = new Map<string, Factors>();
  readonly #half: boolean;
  readonly #picks: boolean;
  #slots: HeldSlot[] = [];
  #clock = 0;
  /** Grows as ranks move: a selection's places hold for one layout. */
  #layout = 0;
  #zeros: FactorValues;

  /** @param picks the graph picks the ranks that act */
  constructor(modules: Iterable<StackModule>, { half, picks }: { half: boolean; picks: boolean }) {
    this.#half = half;
    this.#picks = picks;
    this.#zeros = this.#blankOf(0);
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
  add(entries: readonly StackEntry[], keep: ReadonlySet<string>, share: number): Map<string, string[]> {
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

  /** Names the layout of a selection: gates made for one key fit no other. */
  key(ids: ReadonlySet<string>): string {
    return `${this.#layout} ${JSON.stringify(this.#chosen(ids).map(({ id }) => id))}`;
  }

  select(ids: ReadonlySet<string>): BankSelection {
    const slots = this.#chosen(ids);
    for (const slot of slots) slot.used = ++this.#clock;
    const plans = { linear: this.#plan('linear', slots), conv: this.#plan('conv', slots) };
    const memo = new Map<string, FactorPair>();
    return {
      slots,
      ranks: { linear: plans.linear.picked.length, conv: plans.conv.picked.length },
      rows: { linear: plans.linear.picked, conv: plans.conv.picked },
      factors: (path) => {
        const known = memo.get(path);
        if (known) return known;
        const factors = this.#modules.get(path);
        if (!factors) throw new Error(`the stack has no module ${path}`);
        const { module, data } = factors;
        const plan = plans[module.kind];
        const made = {
          a: { data: this.#rows(data?.a, innerSize(module), plan), shape: [plan.rows, module.in, ...module.kernel] },
          b: { data: this.#rows(data?.b, module.out, plan), shape: [plan.rows, module.out] },
        };
        memo.set(path, made);
        return made;
      },
    };
  }

  #chosen(ids: ReadonlySet<string>): HeldSlot[] {
    return this.#slots.filter(({ id }) => ids.has(id));
  }

  #slot(id: string, layers: ReadonlyMap<string, AdapterLayer>): HeldSlot {
    const rank = { linear: 0, conv: 0 };
    const scale = { linear: 1, conv: 1 };
    const gains = { out: new Map<string, Float32Array>(), in: new Map<string, Float32Array>() };
    let bytes = 0;
    for (const [path, layer] of layers) {
      const { kind } = (this.#modules.get(path) as Factors).module;
      rank[kind] = Math.max(rank[kind], layer.rank);
      if (this.#half) scale[kind] = layer.scale;
      bytes += this.#blankOf(0).BYTES_PER_ELEMENT * (layer.down.length + layer.up.length);
      if (layer.gain) gains[layer.gain.side].set(path, layer.gain.values);
    }
    return { id, rank, scale, paths: new Set(layers.keys()), gains, bytes, used: ++this.#clock };
  }

  #withoutIdle(slots: HeldSlot[], keep: ReadonlySet<string>): HeldSlot[] {
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
  #relay(slots: HeldSlot[], added: ReadonlyMap<string, ReadonlyMap<string, AdapterLayer>>, share: number): void {
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
      : this.#places(wanted.map(({ module }) => room(module) * (innerSize(module) + module.out)));
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
  }

  /** Which of the bank's ranks make up a selection's axis, and how they are handed over. */
  #plan(kind: StackModule['kind'], slots: readonly Slot[]): AxisPlan {
    const at = offsets(this.#slots);
    const runs: Run[] = [];
    for (const { id, rank } of slots) {
      if (rank[kind] === 0) continue;
      const offset = (at.get(id) as RankCounts)[kind];
      const last = runs.at(-1);
      if (last && last.offset + last.rank === offset) last.rank += rank[kind];
      else runs.push({ offset, rank: rank[kind] });
    }
    const [first, last] = [runs[0], runs.at(-1)];
    if (!first || !last) return { runs: [], rows: 1, picked: [] };
    const picked = runs.flatMap(({ offset, rank }) =>
      Array.from({ length: rank }, (_, row) => offset - first.offset + row),
    );
    if (!this.#picks) return { runs, rows: picked.length, picked };
    const whole = { offset: first.offset, rank: last.offset + last.rank - first.offset };
    return { runs: [whole], rows: whole.rank, picked };
  }

  /** The plan's rows of a factor: a view where they are one run. */
  #rows(data: FactorValues | undefined, width: number, { runs, rows }: AxisPlan): FactorValues {
    const [only, ...more] = runs;
    if (!data || !only) return this.#blank(rows * width);
    const view = ({ offset, rank }: Run) => data.subarray(offset * width, (offset + rank) * width);
    if (more.length === 0) return view(only);
    const joined = this.#blankOf(rows * width);
    let at = 0;
    for (const run of runs) {
      joined.set(view(run), at);
      at += run.rank * width;
    }
    return joined;
  }

  /** Zeros, shared by every module that no adapter has a layer for. */
  #blank(length: number): FactorValues {
    if (this.#zeros.length < length) this.#zeros = this.#blankOf(length);
    return this.#zeros.subarray(0, length);
  }

  #blankOf(length: number): FactorValues {
    return this.#half ? new Float16Array(length) : new Float32Array(length);
  }

  /** Parts of one block of memory, by index. */
  #places(lengths: readonly number[]): (index: number) => FactorValues {
    const block = this.#blankOf(lengths.reduce((sum, length) => sum + length, 0));
    const starts: number[] = [];
    let at = 0;
    for (const length of lengths) {
      starts.push(at);
      at += length;
    }
    return (index) => block.subarray(starts[index], (starts[index] as number) + (lengths[index] as number));
  }
}

type Run = Omit<RankSpan, 'scale'>;

interface AxisPlan {
  /** Runs of the bank's ranks that are handed over. */
  runs: readonly Run[];
  /** Ranks of all runs, at least 1. */
  rows: number;
  /** Of those, the ones that make up the axis. */
  picked: readonly number[];
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

/** Writes up [out, rank] as [rank, out]: halves as they are, singles times their scale. */
function turnInto(target: FactorValues, start: number, { up, out, rank, scale }: AdapterLayer): void {
  if (target instanceof Float32Array) turnSingles(target, start, up, out, rank, scale);
  else if (up instanceof Float16Array) turnHalves(bitsOf(target), start, bitsOf(up), out, rank);
  else throw new Error('singles among halves');
}

const bitsOf = ({ buffer, byteOffset, length }: Float16Array) => new Uint16Array(buffer, byteOffset, length);

/** Rows that are turned at once: what they are read from stays in the cache for every rank. */
const rowsAtOnce = 64;

function turnHalves(target: Uint16Array, start: number, up: Uint16Array, out: number, rank: number): void {
  for (let first = 0; first < out; first += rowsAtOnce) {
    const end = Math.min(out, first + rowsAtOnce);
    for (let at = 0; at < rank; at++) {
      const column = start + at * out;
      for (let row = first; row < end; row++) target[column + row] = up[row * rank + at] as number;
    }
  }
}

function turnSingles(
  target: Float32Array,
  start: number,
  up: FactorValues,
  out: number,
  rank: number,
  scale: number,
): void {
  for (let first = 0; first < out; first += rowsAtOnce) {
    const end = Math.min(out, first + rowsAtOnce);
    for (let at = 0; at < rank; at++) {
      const column = start + at * out;
      for (let row = first; row < end; row++) target[column + row] = scale * (up[row * rank + at] as number);
    }
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
