import type { PredictionType, SigmaSchedule, TimestepSpacing } from '../../../contract/request.ts';
import type { SchedulerConfig } from '../../../models/checkpoint/component-config.ts';

/** What a scheduler is made from: the model's noise schedule and how this picture samples it. */
export interface SchedulerOptions {
  config: SchedulerConfig;
  steps: number;
  predictionType: PredictionType;
  /** Undefined: the default of the scheduler as diffusers has it for this model's config. */
  spacing?: TimestepSpacing;
  /** Undefined: as the model's config says, where the scheduler can follow it. */
  sigmas?: SigmaSchedule;
  /** Undefined: as the model's config says. PNDM and Heun know no rescale. */
  rescaleBetasZeroSnr?: boolean;
  /** DDIM's eta, TCD's gamma, in [0, 1]; undefined: 0, as diffusers' pipelines pass it. */
  eta?: number;
  /** Image-to-image: the share of the schedule that is run, [0, 1]; 1 or undefined runs all of it. */
  strength?: number;
  /**
   * LCM only. `skip` (the default) leaves out the first steps, as every other sampler does; `compress` runs all `steps`
   * over the part of the schedule below the strength, as diffusers' pipeline for LCM models does.
   */
  strengthMode?: 'skip' | 'compress';
}

/** Draws fresh standard normal noise for one picture, in the order in which the schedulers ask for it. */
export type DrawNoise = () => Float32Array;

/**
 * One sampler over one picture's latent. A latent is a flat Float32Array; schedulers are elementwise and do not know
 * its shape. A scheduler holds the history of one trajectory: make a new one for each picture. "As diffusers" means
 * version 0.42's class of the same sampler, made `from_config` of the model's own scheduler config.
 */
export interface Scheduler {
  /**
   * Timesteps in the order of the UNet calls, as given to the UNet (may be fractional). One entry a UNet call; none
   * where the strength leaves out every step.
   */
  readonly timesteps: readonly number[];
  /** Standard deviation of the initial latent for text-to-image. */
  readonly initNoiseSigma: number;
  /** The latent as the UNet wants it at call `index`. Does not change its argument. */
  scaleModelInput(latent: Float32Array, index: number): Float32Array;
  /**
   * One step: from the latent at call `index` and the model's output to the next latent. To be called once for each
   * index, in order. `noise` is called only by the steps for which diffusers draws from its generator.
   */
  step(modelOutput: Float32Array, index: number, latent: Float32Array, noise: DrawNoise): Float32Array;
  /**
   * `original` noised to the level of call `index` (image-to-image start, latent masking). After the last call, at an
   * index of `timesteps.length`, the level is clean.
   */
  addNoise(original: Float32Array, noise: Float32Array, index: number): Float32Array;
}
