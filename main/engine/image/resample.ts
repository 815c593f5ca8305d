/**
 * Resampling by Lanczos (a = 3) or linearly, widened when scaling down so that every source pixel counts, one axis after the
 * other.
 *
 * 8-bit samples follow Pillow's arithmetic to the bit (22-bit fixed-point weights, rounded and clamped after each
 * pass), because diffusers prepares pictures with Pillow and an init picture that differs by a level draws another
 * picture. libvips' own resize cannot stand in: it interpolates differently when scaling up.
 */
export interface SampleSize {
  width: number;
  height: number;
  channels: number;
}

type Samples = Uint8Array | Uint16Array | Float32Array;

/**
 * Samples [height, width, channels], interleaved, at another size. The same array comes back where the size is equal.
 * Integer samples are rounded and clamped; floats are neither, and may overshoot their range.
 */
export function resampleLanczos<T extends Samples>(samples: T, from: SampleSize, width: number, height: number): T {
  return resample(samples, from, width, height, lanczos3);
}

/** As {@link resampleLanczos}, by Pillow's `BILINEAR`. */
export function resampleLinear<T extends Samples>(samples: T, from: SampleSize, width: number, height: number): T {
  return resample(samples, from, width, height, triangle);
}

/** A weight by the distance from a sample, 0 from `support` on. */
interface Filter {
  support: number;
  weight(distance: number): number;
}

const lanczos3: Filter = { support: 3, weight: lanczos };
const triangle: Filter = { support: 1, weight: (distance) => Math.max(0, 1 - Math.abs(distance)) };

function resample<T extends Samples>(samples: T, from: SampleSize, width: number, height: number, filter: Filter): T {
  const { channels } = from;
  const across = (current: T, rows: number) =>
    width === from.width ? current : resampleAxis(current, rows, from.width, width, channels, filter);
  const down = (current: T, columns: number) =>
    height === from.height ? current : resampleAxis(current, 1, from.height, height, columns * channels, filter);
  return verticalFirst(from, width, height)
    ? across(down(samples, from.width), height)
    : down(across(samples, from.height), width);
}

/** Pillow's order since version 13; before, the horizontal pass always came first. Rounding makes them differ. */
function verticalFirst(from: SampleSize, width: number, height: number): boolean {
  const lost = from.height - height;
  return lost > 0 && lost > 2 * (from.width - width);
}

/** Resamples the middle axis of [outer, before, inner] to [outer, after, inner]. */
function resampleAxis<T extends Samples>(
  source: T,
  outer: number,
  before: number,
  after: number,
  inner: number,
  filter: Filter,
): T {
  const target = new (source.constructor as new (length: number) => T)(outer * after * inner);
  const fixed = source instanceof Uint8Array;
  const { first, count, weights, taps } = weightsFor(before, after, fixed, filter);
  const store = storeFor(target);
  const sums = new Float64Array(inner);
  for (let o = 0; o < outer; o++) {
    for (let x = 0; x < after; x++) {
      const start = (o * before + (first[x] as number)) * inner;
      if (inner === 3) sumRgb(source, start, weights, x * taps, count[x] as number, sums);
      else sumRows(source, start, weights, x * taps, count[x] as number, sums);
      store(sums, (o * after + x) * inner);
    }
  }
  return target;
}

/** Weighted sums over `count` rows of `sums.length` samples each. */
function sumRows(
  source: Samples,
  start: number,
  weights: Float64Array,
  from: number,
  count: number,
  sums: Float64Array,
): void {
  sums.fill(0);
  const inner = sums.length;
  for (let tap = 0; tap < count; tap++) {
    const weight = weights[from + tap] as number;
    const row = start + tap * inner;
    for (let i = 0; i < inner; i++) sums[i] = (sums[i] as number) + weight * (source[row + i] as number);
  }
}

/** The same for rows of three samples, the horizontal pass of a picture: about three times as fast. */
function sumRgb(
  source: Samples,
  start: number,
  weights: Float64Array,
  from: number,
  count: number,
  sums: Float64Array,
): void {
  let [red, green, blue] = [0, 0, 0];
  for (let tap = 0, at = start; tap < count; tap++, at += 3) {
    const weight = weights[from + tap] as number;
    red += weight * (source[at] as number);
    green += weight * (source[at + 1] as number);
    blue += weight * (source[at + 2] as number);
  }
  sums[0] = red;
  sums[1] = green;
  sums[2] = blue;
}

const fixedPoint = 2 ** 22;

function storeFor(target: Samples): (sums: Float64Array, at: number) => void {
  if (target instanceof Float32Array) return (sums, at) => target.set(sums, at);
  const scale = target instanceof Uint8Array ? 1 / fixedPoint : 1;
  const top = target instanceof Uint8Array ? 255 : 65535;
  return (sums, at) => {
    for (let i = 0; i < sums.length; i++) {
      const value = Math.floor((sums[i] as number) * scale + 0.5);
      target[at + i] = value < 0 ? 0 : Math.min(value, top);
    }
  };
}

function lanczos(x: number): number {
  if (x === 0) return 1;
  if (x < -3 || x >= 3) return 0;
  const angle = x * Math.PI;
  return ((Math.sin(angle) / angle) * Math.sin(angle / 3)) / (angle / 3);
}

interface Weights {
  /** The first source sample of each target sample, and how many count. */
  first: Int32Array;
  count: Int32Array;
  /** [after, taps]; sums to 1 for each target sample, or to 2^22 in fixed point. */
  weights: Float64Array;
  taps: number;
}

function weightsFor(before: number, after: number, fixed: boolean, filter: Filter): Weights {
  const scale = before / after;
  const widen = Math.max(scale, 1);
  const support = filter.support * widen;
  const taps = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(after);
  const count = new Int32Array(after);
  const weights = new Float64Array(after * taps);
  for (let x = 0; x < after; x++) {
    const centre = (x + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const to = Math.min(before, Math.trunc(centre + support + 0.5));
    let total = 0;
    for (let tap = 0; tap < to - from; tap++) {
      const weight = filter.weight((from + tap - centre + 0.5) / widen);
      weights[x * taps + tap] = weight;
      total += weight;
    }
    for (let tap = 0; tap < to - from; tap++) {
      const weight = (weights[x * taps + tap] as number) / total;
      weights[x * taps + tap] = fixed ? Math.trunc(weight * fixedPoint + (weight < 0 ? -0.5 : 0.5)) : weight;
    }
    first[x] = from;
    count[x] = to - from;
  }
  return { first, count, weights, taps };
}
