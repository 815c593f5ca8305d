import type { SchedulerConfig } from '../../../models/checkpoint/component-config.ts';

/** For tests: what Stable Diffusion 1.5's scheduler config says, as published. */
export const stableDiffusionConfig: SchedulerConfig = {
  numTrainTimesteps: 1000,
  betaStart: 0.00085,
  betaEnd: 0.012,
  betaSchedule: 'scaled_linear',
  trainedBetas: null,
  predictionType: 'epsilon',
  spacing: 'leading',
  stepsOffset: 1,
  setAlphaToOne: false,
  clipSample: false,
  clipSampleRange: 1,
  skipPrkSteps: true,
  rescaleBetasZeroSnr: false,
  originalInferenceSteps: 50,
  timestepScaling: 10,
  className: 'PNDMScheduler',
  unspecified: ['spacing'],
};
