import { ImpastoError } from '../../../contract/errors.ts';
import { layerKey, type ToolLayer } from './tool-layer.ts';

/**
 * One adapter whose delta is the weighted sum, exactly: the factors beside each other, so ranks add.
 * @throws ImpastoError `ADAPTER_WRONG_BASE` where two have a layer in common with different sizes.
 */
export function mergeLayers(parts: readonly { layers: readonly ToolLayer[]; weight: number }[]): ToolLayer[] {
  const merged = new Map<string, ToolLayer>();
  for (const { layers, weight } of parts) {
    for (const layer of layers) {
      const key = layerKey(layer);
      const before = merged.get(key);
      merged.set(key, before ? beside(before, layer, weight) : weighted(layer, weight));
    }
  }
  return [...merged.values()];
}

function weighted(layer: ToolLayer, weight: number): ToolLayer {
  return { ...layer, up: layer.up.map((value) => weight * layer.scale * value), scale: 1 };
}

/** `first` has scale 1. */
function beside(first: ToolLayer, second: ToolLayer, weight: number): ToolLayer {
  const sides = ({ out, downShape: [, input = 0, kernel = 1] }: ToolLayer) => `${out} x ${input}, ${kernel}x${kernel}`;
  if (sides(first) !== sides(second)) {
    throw new ImpastoError(
      'ADAPTER_WRONG_BASE',
      `${second.module} is ${sides(first)} in one adapter and ${sides(second)} in another.`,
      'Merge adapters of one base only.',
    );
  }
  const { out } = first;
  const rank = first.rank + second.rank;
  const up = new Float32Array(out * rank);
  for (let o = 0; o < out; o++) {
    up.set(first.up.subarray(o * first.rank, (o + 1) * first.rank), o * rank);
    for (let r = 0; r < second.rank; r++) {
      up[o * rank + first.rank + r] = weight * second.scale * (second.up[o * second.rank + r] as number);
    }
  }
  const down = new Float32Array(first.down.length + second.down.length);
  down.set(first.down);
  down.set(second.down, first.down.length);
  // The one whose name says more names both.
  const { module, dotted } = first.dotted ? first : second;
  return { ...first, module, dotted, rank, up, down, scale: 1, downShape: [rank, ...first.downShape.slice(1)] };
}
