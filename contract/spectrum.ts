/** What a low-rank change keeps when its rank is cut, from its singular values alone. Runs in a browser. */

/** To a rank, or to the smallest that holds a share of each layer's energy, above 0 and at most 1. */
export type Cut = { rank: number } | { energy: number };

export interface Kept {
  /** Share of the energy (squared Frobenius norm), over all layers together. */
  kept: number;
  /** Of the layer that loses most. */
  worst: { module: string; kept: number } | null;
  highestRank: number;
}

export function energyOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < values.length; at++) sum += (values[at] as number) ** 2;
  return sum;
}

/** How many of the falling values hold a share of their energy; all of it asks for those above rounding. */
export function rankHolding(values: ArrayLike<number>, share: number): number {
  const total = energyOf(values);
  let held = 0;
  let rank = 0;
  while (rank < values.length && held < share * total * (1 - 1e-14)) held += (values[rank++] as number) ** 2;
  return rank;
}

/** The rank that a layer is cut to: at least one, be it of zeros. */
export function cutRank(values: ArrayLike<number>, cut: Cut): number {
  return Math.max(1, Math.min(values.length, 'rank' in cut ? cut.rank : rankHolding(values, cut.energy)));
}

/** @param layers each with its singular values, falling */
export function keptBy(layers: readonly { module: string; values: ArrayLike<number> }[], cut: Cut): Kept {
  let [held, total, highestRank] = [0, 0, 0];
  let worst: Kept['worst'] = null;
  for (const { module, values } of layers) {
    const rank = cutRank(values, cut);
    let own = 0;
    for (let at = 0; at < Math.min(rank, values.length); at++) own += (values[at] as number) ** 2;
    const all = energyOf(values);
    held += own;
    total += all;
    highestRank = Math.max(highestRank, rank);
    const kept = all === 0 ? 1 : own / all;
    if (worst === null || kept < worst.kept) worst = { module, kept };
  }
  return { kept: total === 0 ? 1 : held / total, worst, highestRank };
}
