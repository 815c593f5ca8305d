import { type LayerSpectrum, layerName } from '../../contract/adapter-tools.ts';

/** Parts of the networks in the order in which a picture goes through them. */
export const parts = ['Text', 'Down', 'Middle', 'Up', 'Rest'] as const;
export type Part = (typeof parts)[number];

export function partOf({ network, module }: Pick<LayerSpectrum, 'network' | 'module'>): Part {
  if (network !== 'unet') return 'Text';
  const named = /^(?:unet[._])?(down|mid|up)_block/.exec(module)?.[1];
  return named === 'down' ? 'Down' : named === 'mid' ? 'Middle' : named === 'up' ? 'Up' : 'Rest';
}

/** By part, then by name with numbers as numbers: block 2 before block 10. */
export function inOrder<Layer extends Pick<LayerSpectrum, 'network' | 'module'>>(layers: readonly Layer[]): Layer[] {
  const names = new Intl.Collator('en', { numeric: true });
  return [...layers].sort(
    (a, b) => parts.indexOf(partOf(a)) - parts.indexOf(partOf(b)) || names.compare(layerName(a), layerName(b)),
  );
}

/** How many layers each part has, those that have some. */
export function partCounts(layers: readonly Pick<LayerSpectrum, 'network' | 'module'>[]): [Part, number][] {
  const counts = new Map<Part, number>();
  for (const layer of layers) counts.set(partOf(layer), (counts.get(partOf(layer)) ?? 0) + 1);
  return parts.flatMap((part): [Part, number][] => (counts.has(part) ? [[part, counts.get(part) ?? 0]] : []));
}

/** The effective rank of the adapter: the mean over its layers, each by its energy. */
export function meanEffectiveRank(layers: readonly Pick<LayerSpectrum, 'energy' | 'effectiveRank'>[]): number {
  let [sum, total] = [0, 0];
  for (const { energy, effectiveRank } of layers) {
    sum += energy * effectiveRank;
    total += energy;
  }
  return total === 0 ? 0 : sum / total;
}

/** What a cosine between two adapters means for using both at once. */
export function inWords(cosine: number): string {
  const size = Math.abs(cosine);
  if (size < 0.05) return 'Nearly orthogonal: together they hardly disturb each other.';
  if (size < 0.25)
    return cosine > 0 ? 'They pull a little at the same things.' : 'They work a little against each other.';
  if (size < 0.7) {
    return cosine > 0
      ? 'They pull at the same things: together at full strength they overdo it.'
      : 'They work against each other: together each loses some of its effect.';
  }
  return cosine > 0 ? 'Nearly the same: one of them is enough.' : 'Nearly opposites: together they cancel out.';
}
