import { gainSides } from '../../../models/passes/side-branch.ts';
import type { Tensor } from '../runtime/tensor.ts';
import { crossBias, selfBias, type TokenSegment } from './attention-biases.ts';
import type { FactorStack } from './factor-stack.ts';
import { type LevelSizes, type RowUse, rowGates } from './gates.ts';
import type { VariantInputs } from './graph-variants.ts';
import type { MaskPyramid } from './level-masks.ts';

/** Gates and biases kept: those of a few steps, a few MB each. */
const kept = 8;

/** A few values by key, the latest used. */
class Recent<T> {
  readonly #values = new Map<string, T>();

  get(key: string, make: () => T): T {
    const value = this.#values.get(key) ?? make();
    this.#values.delete(key);
    this.#values.set(key, value);
    for (const oldest of [...this.#values.keys()].slice(0, -kept)) this.#values.delete(oldest);
    return value;
  }
}

/** The isolation of regions from each other. */
export interface Isolation {
  masks: readonly MaskPyramid[];
  strength: number;
}

/**
 * What a network's variant wants beside its own inputs, row by row: the factors of the row's adapters, their gates, and
 * biases. A row that asks for the same again gets the same object.
 */
export class NetworkInputs {
  readonly #inputs: VariantInputs;
  readonly #stack: FactorStack | null;
  readonly #sizes: LevelSizes;
  readonly #isolation: Isolation | null;
  readonly #masks = new Map<MaskPyramid, number>();
  readonly #factors = new Recent<Record<string, Tensor>>();
  readonly #gates = new Recent<Record<string, Tensor>>();
  readonly #crosses = new Recent<Record<string, Tensor>>();
  readonly #rows = new Recent<Record<string, Tensor>>();
  #self: Record<string, Tensor> | null = null;

  constructor(inputs: VariantInputs, stack: FactorStack | null, sizes: LevelSizes, isolation: Isolation | null = null) {
    this.#inputs = inputs;
    this.#stack = stack;
    this.#sizes = sizes;
    this.#isolation = isolation;
  }

  /**
   * @param ids adapters whose factors the row is given: all that it uses, and others under a gate of zero
   * @param segments parts of the row's prompt and where each is looked at
   */
  row(ids: readonly string[], use: RowUse, segments: readonly TokenSegment[]): Record<string, Tensor> {
    const crossKey = this.#segmentsKey(segments);
    const gateKey = JSON.stringify([ids, this.#rowKey(use)]);
    return this.#rows.get(`${gateKey} ${crossKey}`, () => ({
      ...this.#gated(ids, gateKey, use),
      ...this.#crosses.get(crossKey, () => this.#cross(segments)),
      ...this.#selves(),
    }));
  }

  #gated(ids: readonly string[], gateKey: string, use: RowUse): Record<string, Tensor> {
    const { branches } = this.#inputs;
    if (branches.factors.size === 0 || !this.#stack) return {};
    const selection = this.#stack.select(ids);
    const factors = this.#factors.get(selection.key, () => {
      const feeds: Record<string, Tensor> = {};
      for (const [path, names] of branches.factors) {
        const { a, b } = selection.factors(path);
        feeds[names.a] = a;
        feeds[names.b] = b;
        for (const side of gainSides) {
          const name = names[side];
          if (name !== undefined) feeds[name] = selection.gain(path, side);
        }
      }
      for (const kind of ['linear', 'conv'] as const) {
        const name = branches.picks[kind];
        if (name !== undefined) feeds[name] = selection.picks[kind];
      }
      return feeds;
    });
    const gates = this.#gates.get(`${gateKey} ${selection.key}`, () =>
      rowGates(branches.gates, selection, use, this.#sizes),
    );
    return { ...factors, ...gates };
  }

  #cross(segments: readonly TokenSegment[]): Record<string, Tensor> {
    return this.#biases(this.#inputs.cross, (level, positions) => crossBias(segments, level, positions));
  }

  #selves(): Record<string, Tensor> {
    const isolation = this.#isolation;
    if (this.#inputs.self.size === 0 || !isolation) return {};
    this.#self ??= this.#biases(this.#inputs.self, (level) => selfBias(isolation.masks, isolation.strength, level));
    return this.#self;
  }

  #biases(
    names: ReadonlyMap<string, string>,
    make: (level: number, positions: number) => Tensor,
  ): Record<string, Tensor> {
    return Object.fromEntries(
      [...names].map(([place, name]) => {
        const level = Number(place.slice('level'.length));
        const { height, width } = this.#sizes[level] as LevelSizes[number];
        return [name, make(level, height * width)];
      }),
    );
  }

  #rowKey({ uses, segments }: RowUse): unknown {
    return [
      uses.map(({ id, strength, mask }) => [id, strength, this.#maskKey(mask)]),
      segments?.map((segment) => [segment.tokens, ...uses.map((use) => segment.uses.has(use))]),
    ];
  }

  #segmentsKey(segments: readonly TokenSegment[]): string {
    if (this.#inputs.cross.size === 0) return '';
    return JSON.stringify(segments.map(({ tokens, mask }) => [tokens, this.#maskKey(mask)]));
  }

  #maskKey(mask: MaskPyramid | null): number {
    if (mask === null) return -1;
    const known = this.#masks.get(mask) ?? this.#masks.size;
    this.#masks.set(mask, known);
    return known;
  }
}
