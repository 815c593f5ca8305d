import { expect, it } from 'vitest';
import { mapLevel } from './map-level.ts';

type Config = Parameters<typeof mapLevel>[0];

/** A UNet with attention where `attends` says so, one entry a level. */
const unet = (sampleSize: number, attends: boolean[], midBlock: Config['midBlock']): Config => ({
  sampleSize,
  blockOutChannels: attends.map(() => 64),
  downBlockAttention: attends,
  midBlock,
});
const sd = unet(64, [true, true, true, false], 'cross-attention');

it('is that of H/32 where it is 16 cells a side, as in Stable Diffusion', () => {
  expect(mapLevel(sd, 8, undefined)).toBe(2);
  // SDXL at 1024: 32 cells a side.
  expect(mapLevel(unet(128, [false, true, true], 'cross-attention'), 8, undefined)).toBe(2);
});

it('is the one nearest 16 cells a side where that of H/32 is too small or looks at nothing', () => {
  // The built-in model: 32 cells of 4 pixels, attention from 16 cells on.
  expect(mapLevel(unet(32, [false, true, true, true], 'cross-attention'), 4, undefined)).toBe(1);
  expect(mapLevel(unet(64, [true, true, false, false], null), 8, undefined)).toBe(1);
});

it('is the one that is asked for, whatever the model has', () => {
  for (const level of [0, 1, 7]) expect(mapLevel(sd, 8, level)).toBe(level);
});
