import { z } from 'zod';
import { ImpastoError } from '../../contract/errors.ts';
import { PredictionType } from '../../contract/request.ts';
import type { Family } from './checkpoint.ts';
import type { SchedulerConfig } from './component-config.ts';

/**
 * A model's scheduler config: from its `scheduler_config.json`, or where a single file has none, as the family's
 * published diffusers config has it (which is what diffusers' `from_single_file` takes, too).
 */

/** Defaults of a diffusers scheduler class, in its own field names, where a config lacks a field (diffusers 0.42). */
interface ClassDefaults {
  beta_start: number;
  beta_end: number;
  beta_schedule: string;
  timestep_spacing: 'leading' | 'trailing' | 'linspace';
  clip_sample: boolean;
  set_alpha_to_one: boolean;
}

const ddpmBetas = { beta_start: 0.0001, beta_end: 0.02, beta_schedule: 'linear' };
const latentBetas = { beta_start: 0.00085, beta_end: 0.012 };
const linspace = { timestep_spacing: 'linspace', clip_sample: false, set_alpha_to_one: false } as const;
const ddim = { ...ddpmBetas, timestep_spacing: 'leading', clip_sample: true, set_alpha_to_one: true } as const;
const consistency = {
  ...latentBetas,
  beta_schedule: 'scaled_linear',
  timestep_spacing: 'leading',
  clip_sample: false,
  set_alpha_to_one: true,
} as const;

const classDefaults: Record<string, ClassDefaults> = {
  DDIMScheduler: ddim,
  DDIMInverseScheduler: ddim,
  DDPMScheduler: ddim,
  PNDMScheduler: { ...ddpmBetas, timestep_spacing: 'leading', clip_sample: false, set_alpha_to_one: false },
  HeunDiscreteScheduler: { ...latentBetas, beta_schedule: 'linear', ...linspace },
  LCMScheduler: consistency,
  TCDScheduler: consistency,
};
/** Euler, Euler a, DPM++, UniPC, LMS and the others. */
const otherDefaults: ClassDefaults = { ...ddpmBetas, ...linspace };

const SchedulerJson = z.looseObject({
  _class_name: z.string().optional(),
  num_train_timesteps: z.number().int().min(1).max(100_000).default(1000),
  beta_start: z.number().min(0).max(1).optional(),
  beta_end: z.number().min(0).max(1).optional(),
  beta_schedule: z.string().optional(),
  trained_betas: z.array(z.number()).nullish(),
  prediction_type: z.string().optional(),
  timestep_spacing: z.enum(['leading', 'trailing', 'linspace']).optional(),
  steps_offset: z.number().int().min(0).default(0),
  set_alpha_to_one: z.boolean().optional(),
  clip_sample: z.boolean().nullish(),
  clip_sample_range: z.number().positive().nullish(),
  skip_prk_steps: z.boolean().default(false),
  rescale_betas_zero_snr: z.boolean().nullish(),
  original_inference_steps: z.number().int().min(1).default(50),
  timestep_scaling: z.number().positive().default(10),
  use_karras_sigmas: z.boolean().nullish(),
  use_exponential_sigmas: z.boolean().nullish(),
});

/** Which field of ours each JSON field fills, for those whose default depends on the class. */
const inherited = {
  beta_start: 'betaStart',
  beta_end: 'betaEnd',
  beta_schedule: 'betaSchedule',
  timestep_spacing: 'spacing',
  clip_sample: 'clipSample',
  set_alpha_to_one: 'setAlphaToOne',
} as const;

export interface ParsedScheduler {
  scheduler: SchedulerConfig;
  /** False: the config leaves it out, so it is epsilon. */
  saysPredictionType: boolean;
}

/**
 * @param json The parsed `scheduler_config.json`.
 * @param file Named in errors.
 * @throws ImpastoError `CONFIG_INVALID`, or `UNKNOWN_ARCHITECTURE` for a noise process that is none of ours.
 */
export function parseSchedulerConfig(json: unknown, file: string): ParsedScheduler {
  const parsed = SchedulerJson.safeParse(json);
  if (!parsed.success) {
    throw new ImpastoError(
      'CONFIG_INVALID',
      `${file}: ${z.prettifyError(parsed.error)}`,
      'Mend or download the config again.',
    );
  }
  const config = parsed.data;
  const className = config._class_name ?? null;
  if (className !== null && /^(?:EDM|FlowMatch)/.test(className)) {
    throw new ImpastoError(
      'UNKNOWN_ARCHITECTURE',
      `${file}: the model is trained for ${className}, a noise process that Impasto does not have.`,
      'Impasto draws with SD 1.x, SD 2.x and SDXL checkpoints.',
    );
  }
  const defaults = classDefaults[className ?? ''] ?? otherDefaults;
  const betaSchedule = config.beta_schedule ?? defaults.beta_schedule;
  if (betaSchedule !== 'linear' && betaSchedule !== 'scaled_linear' && betaSchedule !== 'squaredcos_cap_v2') {
    throw new ImpastoError(
      'CONFIG_INVALID',
      `${file}: beta_schedule '${betaSchedule}' is not one that Impasto has.`,
      'It has linear, scaled_linear and squaredcos_cap_v2.',
    );
  }
  const prediction = PredictionType.safeParse(config.prediction_type ?? 'epsilon');
  if (!prediction.success) {
    throw new ImpastoError(
      'CONFIG_INVALID',
      `${file}: prediction_type '${config.prediction_type}' is not one that Impasto has.`,
      'It has epsilon, v_prediction and sample.',
    );
  }
  const unspecified: (keyof SchedulerConfig)[] = [];
  for (const [field, ours] of Object.entries(inherited)) if (config[field] === undefined) unspecified.push(ours);
  const scheduler: SchedulerConfig = {
    numTrainTimesteps: config.num_train_timesteps,
    betaStart: config.beta_start ?? defaults.beta_start,
    betaEnd: config.beta_end ?? defaults.beta_end,
    betaSchedule,
    trainedBetas: config.trained_betas ?? null,
    predictionType: prediction.data,
    spacing: config.timestep_spacing ?? defaults.timestep_spacing,
    stepsOffset: config.steps_offset,
    setAlphaToOne: config.set_alpha_to_one ?? defaults.set_alpha_to_one,
    clipSample: config.clip_sample ?? defaults.clip_sample,
    clipSampleRange: config.clip_sample_range ?? 1,
    skipPrkSteps: config.skip_prk_steps,
    rescaleBetasZeroSnr: config.rescale_betas_zero_snr ?? false,
    originalInferenceSteps: config.original_inference_steps,
    timestepScaling: config.timestep_scaling,
    className,
    ...(config.use_karras_sigmas
      ? { sigmas: 'karras' as const }
      : config.use_exponential_sigmas
        ? { sigmas: 'exponential' as const }
        : {}),
    unspecified,
  };
  return { scheduler, saysPredictionType: config.prediction_type !== undefined };
}

/** The config that the family's published diffusers folder carries. */
export function familySchedulerConfig(
  family: Family,
  predictionType: PredictionType,
  rescaleBetasZeroSnr: boolean,
): SchedulerConfig {
  const className =
    family === 'sdxl'
      ? 'EulerDiscreteScheduler'
      : predictionType === 'v_prediction'
        ? 'DDIMScheduler'
        : 'PNDMScheduler';
  return {
    numTrainTimesteps: 1000,
    betaStart: 0.00085,
    betaEnd: 0.012,
    betaSchedule: 'scaled_linear',
    trainedBetas: null,
    predictionType,
    // Zero terminal SNR needs the last training timestep among the steps (Lin et al. 2023, section 3.3).
    spacing: rescaleBetasZeroSnr ? 'trailing' : 'leading',
    stepsOffset: 1,
    setAlphaToOne: false,
    clipSample: false,
    clipSampleRange: 1,
    skipPrkSteps: true,
    rescaleBetasZeroSnr,
    originalInferenceSteps: 50,
    timestepScaling: 10,
    className,
    // SDXL's config names its spacing; SD1's and SD2's are older than the field.
    unspecified: family === 'sdxl' || rescaleBetasZeroSnr ? [] : ['spacing'],
  };
}
