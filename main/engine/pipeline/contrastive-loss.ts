/** The attention map of a token, and which concept it belongs to. */
export interface LabelledMap {
  concept: number;
  /** [height * width] */
  map: Float32Array;
}

/**
 * CLoRA's loss on attention maps: NT-Xent (Chen et al. 2020) on the cosine similarity of maps brought to [0, 1]. Maps of one
 * concept attract, those of different concepts repel: for each ordered pair (i, j) of one concept
 * -log(e^(s_ij / t) / (e^(s_ij / t) + sum over n of other concepts e^(s_in / t))), then the mean over pairs.
 * 0 where no concept has two maps.
 */
export function contrastiveLoss(maps: readonly LabelledMap[], temperature = 0.5): number {
  return similarities(maps, temperature).loss;
}

/** The derivatives of {@link contrastiveLoss} with respect to each map. */
export function contrastiveGradient(maps: readonly LabelledMap[], temperature = 0.5): Float32Array[] {
  const { units, derivatives } = similarities(maps, temperature);
  return maps.map(({ map }, i) => {
    const own = units[i] as Float64Array;
    const toUnit = new Float64Array(own.length);
    for (const [j, other] of units.entries()) {
      const weight = (derivatives[i]?.[j] as number) + (derivatives[j]?.[i] as number);
      for (const [at, value] of other.entries()) toUnit[at] = (toUnit[at] as number) + weight * value;
    }
    return throughMinMax(map, throughUnit(minMaxNormalised(map), own, toUnit));
  });
}

interface Similarities {
  loss: number;
  units: readonly Float64Array[];
  /** Of the loss with respect to each s_ij, (i, j) ordered. */
  derivatives: readonly (readonly number[])[];
}

function similarities(maps: readonly LabelledMap[], temperature: number): Similarities {
  const units = maps.map(({ map }) => unit(minMaxNormalised(map)));
  const scores = units.map((a) => units.map((b) => Math.exp(dot(a, b) / temperature)));
  const derivatives = maps.map(() => new Array<number>(maps.length).fill(0));
  const same = (i: number, j: number) => maps[i]?.concept === maps[j]?.concept;
  let sum = 0;
  let pairs = 0;
  for (const [i, row] of scores.entries()) {
    const own = derivatives[i] as number[];
    const others = row.reduce((total, value, n) => (same(i, n) ? total : total + value), 0);
    for (const [j, value] of row.entries()) {
      if (i === j || !same(i, j)) continue;
      sum -= Math.log(value / (value + others));
      pairs += 1;
      own[j] = (own[j] as number) - others / (value + others);
      for (const [n, other] of row.entries()) if (!same(i, n)) own[n] = (own[n] as number) + other / (value + others);
    }
  }
  if (pairs === 0) return { loss: 0, units, derivatives };
  const share = 1 / (pairs * temperature);
  return { loss: sum / pairs, units, derivatives: derivatives.map((row) => row.map((value) => value * share)) };
}

/** To values, of the cotangent of the same at length 1: what lies along them is lost. */
function throughUnit(values: Float32Array, own: Float64Array, cotangent: Float64Array): Float64Array {
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  if (length === 0) return new Float64Array(values.length);
  const along = dot(own, cotangent);
  return cotangent.map((value, at) => (value - along * (own[at] as number)) / length);
}

/** To a map, of the cotangent of the same brought to [0, 1], whose ends are the map's own lowest and highest value. */
function throughMinMax(map: Float32Array, cotangent: Float64Array): Float32Array {
  const [low, high] = [map.indexOf(Math.min(...map)), map.indexOf(Math.max(...map))];
  const range = (map[high] as number) - (map[low] as number);
  if (range === 0) return new Float32Array(map.length);
  const gradient = Float64Array.from(cotangent, (value) => value / range);
  for (const [at, value] of cotangent.entries()) {
    const place = ((map[at] as number) - (map[low] as number)) / range;
    gradient[low] = (gradient[low] as number) - (value * (1 - place)) / range;
    gradient[high] = (gradient[high] as number) - (value * place) / range;
  }
  return Float32Array.from(gradient);
}

/** A map brought to [0, 1]; zeros where it is flat. */
export function minMaxNormalised(map: Float32Array): Float32Array {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of map) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const range = high - low;
  return map.map((value) => (range > 0 ? (value - low) / range : 0));
}

function unit(values: Float32Array): Float64Array {
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return Float64Array.from(values, (value) => (length > 0 ? value / length : 0));
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, at) => sum + value * (b[at] as number), 0);
}
