import type { EngineWarning } from '../../../contract/engine.ts';
import type { SchedulerName } from '../../../contract/request.ts';
import type { SchedulerOptions } from './scheduler.ts';

const takeEta: readonly SchedulerName[] = ['ddim', 'tcd'];
const ownTimesteps: readonly SchedulerName[] = ['lcm', 'tcd'];
const ownSigmaRange: readonly SchedulerName[] = ['dpmpp-2m', 'dpmpp-2m-sde', 'unipc'];
const noZeroSnr: readonly SchedulerName[] = ['pndm', 'heun'];

/** What the request, or the model's config, sets and this sampler does not use, to be shown to the person. */
export function unusedSettings(name: SchedulerName, options: SchedulerOptions): EngineWarning[] {
  const { config, eta, spacing, sigmas } = options;
  const messages: string[] = [];
  if (eta !== undefined && !takeEta.includes(name)) messages.push('eta: only DDIM and TCD use it.');
  if (spacing !== undefined) {
    if (ownTimesteps.includes(name)) {
      messages.push('timestep spacing: this sampler keeps to the timesteps that the model was distilled for.');
    } else if (sigmas === 'sgm-uniform' && spacing !== 'trailing') {
      messages.push('timestep spacing: SGM uniform sigmas are laid out with trailing spacing.');
    } else if ((sigmas === 'karras' || sigmas === 'exponential') && ownSigmaRange.includes(name)) {
      messages.push(`timestep spacing: ${sigmas} sigmas run over the model's whole range here.`);
    }
  }
  if ((options.rescaleBetasZeroSnr ?? config.rescaleBetasZeroSnr) && noZeroSnr.includes(name)) {
    messages.push("zero-terminal-SNR rescale: this sampler keeps to the model's own betas. Euler can follow it.");
  }
  return messages.map((message) => ({ code: 'SETTING_UNUSED', message: `Not used by ${name}: ${message}` }));
}
