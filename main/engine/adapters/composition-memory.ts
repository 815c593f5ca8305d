import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RenderRequest } from '../../../contract/request.ts';
import type { UNetConfig } from '../../../models/checkpoint/component-config.ts';
import { levelSizes } from './gates.ts';
import { selfRunsFor } from './graph-variants.ts';

type Asked = Pick<RenderRequest, 'adapters' | 'composition' | 'regions'>;
type Levels = Pick<UNetConfig, 'blockOutChannels' | 'downBlockAttention' | 'midBlock' | 'attentionHeads'>;

const floatBytes = 4;

/**
 * Bytes that a UNet step needs beside a plain one: the adapters' factors, and under a bias the logits that attention
 * must then hold.
 * @param latent sides of the latent
 */
export function compositionBytes(
  { adapters, composition, regions }: Asked,
  config: Levels,
  latent: { height: number; width: number },
): number {
  const files = new Set(adapters.map(({ path }) => resolve(path)));
  let bytes = 0;
  // Mostly half precision on disk: held so on the CPU, and single on other devices as in a step's own copies.
  for (const file of files) bytes += 2 * (statSync(file, { throwIfNoEntry: false })?.size ?? 0);
  const levels = levelSizes(latent.height, latent.width, config.blockOutChannels.length);
  const isolated = composition.isolation > 0 && regions.length > 1;
  const byBias = composition.method === 'regional' && composition.regionalBy === 'bias';
  let logits = 0;
  for (const [level, { height, width }] of levels.entries()) {
    const last = level === levels.length - 1 && config.midBlock === 'cross-attention';
    if (!config.downBlockAttention[level] && !last) continue;
    const places = height * width;
    const heads = config.attentionHeads[level] ?? 8;
    const tokens = 77 * (regions.length + 1);
    if (byBias) {
      bytes += places * tokens * floatBytes;
      logits = Math.max(logits, 2 * heads * places * tokens * floatBytes);
    }
    if (isolated) {
      const run = places / selfRunsFor(places);
      // The bias itself, and its runs cut out of it.
      bytes += 2 * places * places * floatBytes;
      logits = Math.max(logits, 2 * heads * run * places * floatBytes);
    }
  }
  return bytes + logits;
}
