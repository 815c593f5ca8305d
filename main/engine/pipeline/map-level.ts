import type { UNetConfig } from '../../../models/checkpoint/component-config.ts';

type Levels = Pick<UNetConfig, 'blockOutChannels' | 'downBlockAttention' | 'midBlock' | 'sampleSize'>;

/** Cells a side below which a map shows too little of where things are. */
const fewest = 12;
const usual = 16;

/**
 * The level whose attention maps are read: the one of H/32 x W/32, as SD at 512 has it with 16x16; where a model has no
 * attention there, or too small a map at the size it was trained for, the one nearest 16x16.
 * @param factor pixels a side of a latent cell
 */
export function mapLevel(config: Levels, factor: number, asked: number | undefined): number {
  if (asked !== undefined) return asked;
  const last = config.blockOutChannels.length - 1;
  const side = (level: number) => Math.ceil(config.sampleSize / 2 ** level);
  const attends = config.blockOutChannels.flatMap((_, level) => {
    const middle = level === last && config.midBlock === 'cross-attention';
    return config.downBlockAttention[level] || middle ? [level] : [];
  });
  const usualLevel = Math.round(Math.log2(32 / factor));
  if (attends.includes(usualLevel) && side(usualLevel) >= fewest) return usualLevel;
  const away = (level: number) => Math.abs(Math.log2(side(level) / usual));
  return attends.toSorted((a, b) => away(a) - away(b))[0] ?? usualLevel;
}
