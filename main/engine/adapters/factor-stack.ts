import type { AdapterLayer } from '../../../models/adapters/adapter.ts';
import type { FactorPrecision, GainSide } from '../../../models/passes/side-branch.ts';
import type { Tensor } from '../runtime/tensor.ts';
import {
  type BankSelection,
  FactorBank,
  type FactorPair,
  type RankSpan,
  type Slot,
  type StackEntry,
  type StackModule,
} from './factor-bank.ts';

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
  /** For a graph that picks: which rows of the factors make up each axis, halves before singles. */
  picks: Readonly<Record<StackModule['kind'], Readonly<Record<FactorPrecision, Tensor>>>>;
  /** A [rank, in(, k, k)] and B [rank, out] of a module. For a graph that picks, with others between. */
  factors(path: string, precision: FactorPrecision): FactorPair;
  /** Gains of a module, [gains, out] or [gains, in]: zeros where an adapter has none there. */
  gain(path: string, side: GainSide): Tensor;
}

/**
 * The factors of a network's opened adapters, side by side along the rank axis. Choosing among those opened copies nothing
 * where the graph picks the ranks itself, since views of their memory and a list of rows are all that changes; for a graph
 * that does not, factors that are no neighbours are laid out anew.
 *
 * A graph that picks takes halves as halves: most files hold them, and a picture with several adapters would else hold twice
 * their size.
 */
export class FactorStack {
  readonly #modules: ReadonlyMap<string, StackModule>;
  readonly #half: FactorBank | null;
  readonly #single: FactorBank;
  #selections = new Map<string, Selection>();

  /** @param picks the graph picks the ranks that act */
  constructor(modules: Iterable<StackModule>, picks: boolean) {
    this.#modules = new Map([...modules].map((module) => [module.path, module]));
    this.#half = picks ? new FactorBank(this.#modules.values(), { half: true, picks }) : null;
    this.#single = new FactorBank(this.#modules.values(), { half: false, picks });
  }

  has(id: string): boolean {
    return this.#single.has(id) || this.#half?.has(id) === true;
  }

  /** Bytes of the factors held. */
  get bytes(): number {
    return this.#single.bytes + (this.#half?.bytes ?? 0);
  }

  /** As {@link FactorBank.add}. */
  add(entries: readonly StackEntry[], keep: ReadonlySet<string>, share = 1): Map<string, string[]> {
    const halves = this.#half ? entries.filter(({ layers }) => this.#areHalves(layers)) : [];
    const singles = entries.filter((entry) => !halves.includes(entry));
    this.#selections.clear();
    return new Map([
      ...(this.#half && halves.length > 0 ? this.#half.add(halves, keep, share) : []),
      ...(singles.length > 0 ? this.#single.add(singles, keep, share) : []),
    ]);
  }

  /** The factors of the adapters named, which must all be held. */
  select(ids: readonly string[]): Selection {
    const wanted = new Set(ids);
    const key = `${this.#half?.key(wanted)} ${this.#single.key(wanted)}`;
    const known = this.#selections.get(key);
    if (known) return known;
    const made = this.#selection(key, this.#half?.select(wanted) ?? null, this.#single.select(wanted));
    this.#selections.set(key, made);
    // Copies are held by their selections: a few of them bound the memory.
    for (const oldest of [...this.#selections.keys()].slice(0, -4)) this.#selections.delete(oldest);
    return made;
  }

  /** Are the factors as their file has them, under one scale on each axis, which a gate can carry? */
  #areHalves(layers: readonly AdapterLayer[]): boolean {
    const scales = new Map<StackModule['kind'] | undefined, number>();
    return layers.every(({ path, down, up, scale, gain }) => {
      const kind = this.#modules.get(path)?.kind;
      const known = scales.get(kind) ?? scale;
      scales.set(kind, known);
      return down instanceof Float16Array && up instanceof Float16Array && scale === known && !gain;
    });
  }

  #selection(key: string, half: BankSelection | null, single: BankSelection): Selection {
    const slots = [...(half?.slots ?? []), ...single.slots];
    const gained = {
      out: slots.filter(({ gains }) => gains.out.size > 0),
      in: slots.filter(({ gains }) => gains.in.size > 0),
    };
    const none: readonly number[] = [];
    const picksOf = (kind: StackModule['kind']) => {
      const [halves, singles] = [half?.rows[kind] ?? none, single.rows[kind]];
      // A rank of zeros where there is none: some providers take no empty axis.
      return { half: indices(halves), single: indices(halves.length + singles.length > 0 ? singles : [0]) };
    };
    return {
      key,
      linear: axisOf(slots.map(({ id, rank, scale }) => ({ id, rank: rank.linear, scale: scale.linear }))),
      conv: axisOf(slots.map(({ id, rank, scale }) => ({ id, rank: rank.conv, scale: scale.conv }))),
      gains: {
        out: axisOf(gained.out.map(({ id }) => ({ id, rank: 1, scale: 1 }))),
        in: axisOf(gained.in.map(({ id }) => ({ id, rank: 1, scale: 1 }))),
      },
      picks: { linear: picksOf('linear'), conv: picksOf('conv') },
      factors: (path, precision) => {
        const bank = precision === 'half' ? half : single;
        if (!bank) throw new Error('this graph takes no halves');
        return bank.factors(path);
      },
      gain: (path, side) => this.#gain(path, side, gained[side]),
    };
  }

  #gain(path: string, side: GainSide, slots: readonly Slot[]): Tensor {
    const module = this.#modules.get(path);
    if (!module) throw new Error(`the stack has no module ${path}`);
    const size = side === 'out' ? module.out : module.in;
    const rows = Math.max(1, slots.length);
    const joined = new Float32Array(rows * size);
    for (const [row, { gains }] of slots.entries()) {
      const values = gains[side].get(path);
      if (values) joined.set(values, row * size);
    }
    return { data: joined, shape: [rows, size] };
  }
}

function axisOf(parts: readonly ({ id: string } & Omit<RankSpan, 'offset'>)[]): RankAxis {
  const spans = new Map<string, RankSpan>();
  let total = 0;
  for (const { id, rank, scale } of parts) {
    if (rank === 0) continue;
    spans.set(id, { offset: total, rank, scale });
    total += rank;
  }
  return { rank: Math.max(1, total), spans };
}

const indices = (rows: readonly number[]): Tensor => ({ data: BigInt64Array.from(rows, BigInt), shape: [rows.length] });
