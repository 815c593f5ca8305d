import { ImpastoError } from '../../../contract/errors.ts';
import type { SchedulerConfig } from '../../../models/checkpoint/component-config.ts';
import { at } from './numbers.ts';
import { stated } from './stated.ts';

/** What a sampler takes where the model's config says nothing of its betas. */
export interface BetaDefaults {
  betaStart: number;
  betaEnd: number;
  betaSchedule: 'linear' | 'scaled_linear' | 'squaredcos_cap_v2';
}

/** The largest beta of the cosine schedule (Nichol and Dhariwal 2021). */
const maxCosineBeta = 0.999;

/**
 * The noise schedule that the model was trained with: for each training timestep the share of the variance that is
 * still signal, alpha-bar of DDPM (Ho et al. 2020). Values in [0, 1], falling.
 *
 * Every step is rounded to float32 as in torch, since 1 - alpha at low timesteps feels the last bit.
 * @param zeroTerminalSnr rescale so that the last timestep holds no signal at all
 * @throws ImpastoError `CONFIG_INVALID` where there are fewer than two training timesteps, or explicit betas do not
 * cover them.
 */
export function trainingAlphasCumprod(
  config: SchedulerConfig,
  defaults: BetaDefaults,
  zeroTerminalSnr: boolean,
): Float32Array {
  const count = config.numTrainTimesteps;
  if (!Number.isInteger(count) || count < 2) {
    throw new ImpastoError(
      'CONFIG_INVALID',
      `The scheduler config speaks of ${count} training timesteps.`,
      "Correct `num_train_timesteps` in the model's scheduler_config.json: Stable Diffusion has 1000.",
    );
  }
  const betas = trainingBetas(config, defaults);
  return cumulativeAlphas(zeroTerminalSnr ? rescaleZeroTerminalSnr(betas) : betas);
}

/** The variance that each training timestep adds. */
function trainingBetas(config: SchedulerConfig, defaults: BetaDefaults): Float32Array {
  const count = config.numTrainTimesteps;
  if (config.trainedBetas !== null) {
    if (config.trainedBetas.length !== count) {
      throw new ImpastoError(
        'CONFIG_INVALID',
        `The scheduler config holds ${config.trainedBetas.length} trained betas for ${count} training timesteps.`,
        "Correct `trained_betas` or `num_train_timesteps` in the model's scheduler_config.json.",
      );
    }
    return Float32Array.from(config.trainedBetas);
  }
  const start = stated(config, 'betaStart') ?? defaults.betaStart;
  const end = stated(config, 'betaEnd') ?? defaults.betaEnd;
  switch (stated(config, 'betaSchedule') ?? defaults.betaSchedule) {
    case 'linear':
      return linspaceFloat32(start, end, count);
    case 'scaled_linear':
      return linspaceFloat32(Math.sqrt(start), Math.sqrt(end), count).map((root) => root * root);
    case 'squaredcos_cap_v2':
      return cosineBetas(count);
  }
}

/** `torch.linspace` in float32, which runs from both ends to the middle. */
function linspaceFloat32(start: number, end: number, count: number): Float32Array {
  const [first, last] = [Math.fround(start), Math.fround(end)];
  const step = Math.fround(Math.fround(last - first) / (count - 1));
  const middle = Math.floor(count / 2);
  return Float32Array.from({ length: count }, (_, i) =>
    i < middle ? first + step * i : last - step * (count - 1 - i),
  );
}

/** The cosine schedule of Nichol and Dhariwal 2021, eq. 17. */
function cosineBetas(count: number): Float32Array {
  const alphaBar = (t: number) => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  return Float32Array.from({ length: count }, (_, i) =>
    Math.min(1 - alphaBar((i + 1) / count) / alphaBar(i / count), maxCosineBeta),
  );
}

/** The running product of 1 - beta, held in double precision and given in float32, as torch does. */
function cumulativeAlphas(betas: Float32Array): Float32Array {
  const products = new Float32Array(betas.length);
  let product = 1;
  for (const [i, beta] of betas.entries()) {
    product *= Math.fround(1 - beta);
    products[i] = product;
  }
  return products;
}

/**
 * Betas whose last timestep holds no signal, the first one's kept: "Common diffusion noise schedules and sample steps
 * are flawed" (Lin et al. 2023), algorithm 1.
 */
export function rescaleZeroTerminalSnr(betas: Float32Array): Float32Array {
  const roots = cumulativeAlphas(betas).map(Math.sqrt);
  const first = at(roots, 0);
  const last = at(roots, roots.length - 1);
  const scale = Math.fround(first / Math.fround(first - last));
  const alphasCumprod = roots.map((root) => Math.fround(Math.fround(root - last) * scale) ** 2);
  return alphasCumprod.map((alphaCumprod, i) => {
    const alpha = i === 0 ? alphaCumprod : Math.fround(alphaCumprod / at(alphasCumprod, i - 1));
    return 1 - alpha;
  });
}
