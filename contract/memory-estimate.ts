import { z } from 'zod';
import { RequestFields } from './request.ts';

/** What of a request decides how much memory its pictures take, but for adapters and regions. */
export const EstimateRequest = RequestFields.pick({
  model: true,
  vae: true,
  width: true,
  height: true,
  guidance: true,
  scheduler: true,
  precision: true,
  provider: true,
});
export type EstimateRequest = z.infer<typeof EstimateRequest>;

/** What a picture is going to take, before it is drawn. */
export const MemoryEstimate = z.object({
  /** Pixels. */
  width: z.number().int(),
  height: z.number().int(),
  /** At the peak, with what the engine's process takes by itself; bytes, as all that follows. */
  bytes: z.number(),
  /** Of the peak: weights, and what is to work in. */
  weights: z.number(),
  activations: z.number(),
  /** What needs most, in words, e.g. `the UNet`. */
  part: z.string(),
  /** The VAE decodes in tiles. */
  tiled: z.boolean(),
  /** What the engine may hold: a picture that takes more is refused. */
  budget: z.number(),
});
export type MemoryEstimate = z.infer<typeof MemoryEstimate>;
