import type { LayerContent } from './raster/protocol.ts';

/** Least opacity, 0 to 255, at which a small picture's pixel counts as held. */
const held = 128;

/** Pairs of layers that lie over each other, the upper one first, as far as their small pictures tell. */
export function overlapping(
  layers: readonly { id: string; name: string }[],
  content: ReadonlyMap<string, LayerContent>,
): [string, string][] {
  const pairs: [string, string][] = [];
  for (const [at, upper] of layers.entries()) {
    for (const lower of layers.slice(0, at)) {
      const [one, two] = [content.get(upper.id)?.thumbnail, content.get(lower.id)?.thumbnail];
      if (!one || !two) continue;
      for (let pixel = 3; pixel < one.length; pixel += 4) {
        if ((one[pixel] as number) < held || (two[pixel] as number) < held) continue;
        pairs.push([upper.name, lower.name]);
        break;
      }
    }
  }
  return pairs;
}
