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
  const units = maps.map(({ map }) => unit(minMaxNormalised(map)));
  const similarity = units.map((a) => units.map((b) => Math.exp(dot(a, b) / temperature)));
  let sum = 0;
  let pairs = 0;
  for (const [i, row] of similarity.entries()) {
    let others = 0;
    for (const [n, value] of row.entries()) if (maps[n]?.concept !== maps[i]?.concept) others += value;
    for (const [j, value] of row.entries()) {
      if (i === j || maps[j]?.concept !== maps[i]?.concept) continue;
      sum -= Math.log(value / (value + others));
      pairs += 1;
    }
  }
  return pairs === 0 ? 0 : sum / pairs;
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
