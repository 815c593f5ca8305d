import { gainSides } from '../../../models/passes/side-branch.ts';
import type { Tensor } from '../runtime/tensor.ts';
import { crossBias, type TokenSegment } from './attention-biases.ts';
import type { FactorStack } from './factor-stack.ts';
import { type LevelSizes, type RowUse, rowGates, type SegmentPlaces } from './gates.ts';
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

/** Where a picture's regions part its attention. */
export interface AttentionPlaces {
  /** The bias on self-attention at a level, [1, 1, places, places], that keeps regions from looking at each other. */
  isolation?: ((level: number) => Tensor) | undefined;
  /** How much each of the prompt's segments counts at each place of a level: [segments * places]. */
  segmentWeights?: (level: number) => Float32Array;
  /** The bias on cross-attention within segments at a level: [segments, places, tokens]. */
  segmentBias?: (segments: readonly TokenSegment[], level: number) => Float32Array;
}

/**
 * What a network's variant wants beside its own inputs, row by row: the factors of the row's adapters, their gates, and
 * biases. A row that asks for the same again gets the same object.
 */
export class NetworkInputs {
  readonly #inputs: VariantInputs;
  readonly #stack: FactorStack | null;
  readonly #sizes: LevelSizes;
  readonly #places: AttentionPlaces;
  readonly #masks = new Map<MaskPyramid, number>();
  readonly #factors = new Recent<Record<string, Tensor>>();
  readonly #gates = new Recent<Record<string, Tensor>>();
  readonly #crosses = new Recent<Record<string, Tensor>>();
  readonly #rows = new Recent<Record<string, Tensor>>();
  #self: Record<string, Tensor> | null = null;
  #weights: Record<string, Tensor> | null = null;

  constructor(inputs: VariantInputs, stack: FactorStack | null, sizes: LevelSizes, places: AttentionPlaces = {}) {
    this.#inputs = inputs;
    this.#stack = stack;
    this.#sizes = sizes;
    this.#places = places;
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
      ...this.#segmentWeights(segments.length),
    }));
  }

  #gated(ids: readonly string[], gateKey: string, use: RowUse): Record<string, Tensor> {
    const { branches } = this.#inputs;
    if (branches.factors.size === 0 || !this.#stack) return {};
    const selection = this.#stack.select(ids);
    const factors = this.#factors.get(selection.key, () => {
      const feeds: Record<string, Tensor> = {};
      for (const [path, names] of branches.factors) {
        const { a, b } = selection.factors(path, 'single');
        feeds[names.a] = a;
        feeds[names.b] = b;
        if (names.half) {
          const half = selection.factors(path, 'half');
          feeds[names.half.a] = half.a;
          feeds[names.half.b] = half.b;
        }
        for (const side of gainSides) {
          const name = names[side];
          if (name !== undefined) feeds[name] = selection.gain(path, side);
        }
      }
      for (const kind of ['linear', 'conv'] as const) {
        const names = branches.picks[kind];
        if (!names) continue;
        for (const precision of ['half', 'single'] as const) feeds[names[precision]] = selection.picks[kind][precision];
      }
      return feeds;
    });
    const gates = this.#gates.get(`${gateKey} ${selection.key}`, () =>
      rowGates(branches.gates, selection, use, this.#sizes, this.#segmentPlaces()),
    );
    return { ...factors, ...gates };
  }

  #cross(segments: readonly TokenSegment[]): Record<string, Tensor> {
    const mixing = this.#inputs.segments?.mixing;
    const bias = this.#places.segmentBias;
    if (mixing === undefined || !bias) {
      return this.#biases(this.#inputs.cross, (level, positions) => crossBias(segments, level, positions));
    }
    const count = segments.length;
    return this.#biases(this.#inputs.cross, (level, places) => {
      const data = bias(segments, level);
      const tokens = data.length / (count * places);
      if (mixing === 'output') return { data, shape: [count, 1, places, tokens] };
      // A row holds all tokens: segments side by side.
      const joined = new Float32Array(data.length);
      for (let segment = 0; segment < count; segment++) {
        for (let place = 0; place < places; place++) {
          const own = (segment * places + place) * tokens;
          joined.set(data.subarray(own, own + tokens), (place * count + segment) * tokens);
        }
      }
      return { data: joined, shape: [1, 1, places, count * tokens] };
    });
  }

  #selves(): Record<string, Tensor> {
    const { isolation } = this.#places;
    if (this.#inputs.self.size === 0 || !isolation) return {};
    this.#self ??= this.#biases(this.#inputs.self, isolation);
    return this.#self;
  }

  #segmentPlaces(): SegmentPlaces | null {
    const { segments } = this.#inputs;
    const weights = this.#places.segmentWeights;
    return segments && weights ? { mixing: segments.mixing, weights } : null;
  }

  #segmentWeights(count: number): Record<string, Tensor> {
    const places = this.#segmentPlaces();
    if (!places || !this.#inputs.segments) return {};
    this.#weights ??= this.#biases(this.#inputs.segments.weights, (level, positions) => ({
      data: places.weights(level),
      shape: [1, count, positions, 1],
    }));
    return this.#weights;
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
      uses.map(({ id, strength, mask, crossOnly }) => [id, strength, this.#maskKey(mask), crossOnly]),
      segments?.map((segment) => [segment.tokens, ...uses.map((use) => segment.uses.has(use))]),
    ];
  }

  #segmentsKey(segments: readonly TokenSegment[]): string {
    if (this.#inputs.cross.size === 0) return '';
    return JSON.stringify(segments.map(({ tokens, mask, boosts }) => [tokens, this.#maskKey(mask), boosts]));
  }

  #maskKey(mask: MaskPyramid | null): number {
    if (mask === null) return -1;
    const known = this.#masks.get(mask) ?? this.#masks.size;
    this.#masks.set(mask, known);
    return known;
  }
}
