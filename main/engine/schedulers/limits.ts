import { ImpastoError } from '../../../contract/errors.ts';
import type { SchedulerOptions } from './scheduler.ts';

/**
 * For a sampler that steps over the training timesteps themselves and so takes no sigmas.
 * @throws ImpastoError `REQUEST_INVALID` where the request asks for Karras or exponential sigmas.
 */
export function refuseSigmas(sampler: string, { sigmas }: SchedulerOptions): void {
  if (sigmas === 'karras' || sigmas === 'exponential') throw cannotTake(sampler, sigmas);
}

/**
 * For a sampler whose timesteps are those it was distilled for.
 * @throws ImpastoError `REQUEST_INVALID` where the request asks for any sigma schedule.
 */
export function refuseOwnSchedule(sampler: string, options: SchedulerOptions): void {
  refuseSigmas(sampler, options);
  if (options.sigmas === 'sgm-uniform') throw cannotTake(sampler, 'SGM uniform');
}

function cannotTake(sampler: string, sigmas: string): ImpastoError {
  return new ImpastoError(
    'REQUEST_INVALID',
    `${sampler} cannot take ${sigmas} sigmas.`,
    'Leave the sigmas at their default, or choose Euler, Euler a, Heun, DPM++ 2M, DPM++ 2M SDE or UniPC.',
  );
}

/**
 * For a sampler that divides by the signal's share, which is 0 at the last timestep of a zero-terminal-SNR schedule.
 * @param alphasCumprod the signal's share at each timestep that will be sampled
 * @throws ImpastoError `REQUEST_INVALID` where the model predicts noise and a timestep holds nothing but noise.
 */
export function refuseNoiseWithoutSignal(
  sampler: string,
  { predictionType }: SchedulerOptions,
  alphasCumprod: readonly number[],
): void {
  if (predictionType !== 'epsilon' || !alphasCumprod.includes(0)) return;
  throw new ImpastoError(
    'REQUEST_INVALID',
    `${sampler} cannot start from pure noise (zero terminal SNR) with a model that predicts noise.`,
    'Turn the zero-SNR rescale off, set the prediction type to v-prediction if the model has it, or use leading spacing.',
  );
}
