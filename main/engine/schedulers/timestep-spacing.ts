import { ImpastoError } from '../../../contract/errors.ts';
import type { TimestepSpacing } from '../../../contract/request.ts';
import { at, linspace, roundHalfEven } from './numbers.ts';

/** How `steps` sampling steps are laid over the training timesteps 0 to trainTimesteps - 1. */
export interface SpacingRequest {
  spacing: TimestepSpacing;
  trainTimesteps: number;
  steps: number;
  /** Added to every timestep of `leading` spacing; Stable Diffusion wants 1. */
  stepsOffset: number;
}

/**
 * Falling whole timesteps for the samplers that look them up in the training schedule (DDIM, PNDM): Lin et al. 2023,
 * table 2.
 * @throws ImpastoError `REQUEST_INVALID` for more steps than there are training timesteps.
 */
export function integerTimesteps(request: SpacingRequest): number[] {
  refuseMoreStepsThan(request.trainTimesteps, request.steps);
  const { spacing, trainTimesteps, steps } = request;
  if (spacing === 'linspace')
    return linspace(0, trainTimesteps - 1, steps)
      .map(roundHalfEven)
      .reverse();
  if (spacing === 'trailing') return trailing(trainTimesteps, steps);
  return keepWithin(trainTimesteps, leading(request, steps));
}

/**
 * Falling timesteps for the samplers that interpolate noise levels (Euler, Euler a, Heun): as
 * {@link integerTimesteps}, except that `linspace` keeps its fractions, in float32.
 * @throws ImpastoError `REQUEST_INVALID` for more `leading` steps than there are training timesteps.
 */
export function fractionalTimesteps(request: SpacingRequest): number[] {
  const { spacing, trainTimesteps, steps } = request;
  if (spacing === 'linspace')
    return linspace(0, trainTimesteps - 1, steps)
      .map(Math.fround)
      .reverse();
  if (spacing === 'trailing') return trailing(trainTimesteps, steps);
  return leading(request, steps);
}

/**
 * Falling whole timesteps for DPM-Solver++ and UniPC: `linspace` and `leading` lay one point more and drop the lowest,
 * which is where the last step ends.
 * @throws ImpastoError `REQUEST_INVALID` for `leading` steps that do not fit that way.
 */
export function solverTimesteps(request: SpacingRequest): number[] {
  const { spacing, trainTimesteps, steps } = request;
  if (spacing === 'trailing') return trailing(trainTimesteps, steps);
  if (spacing === 'linspace') {
    return linspace(0, trainTimesteps - 1, steps + 1)
      .slice(1)
      .map(roundHalfEven)
      .reverse();
  }
  return keepWithin(trainTimesteps, leading(request, steps + 1).slice(0, -1));
}

function leading({ trainTimesteps, stepsOffset, steps }: SpacingRequest, points: number): number[] {
  refuseMoreStepsThan(trainTimesteps - (points - steps), steps);
  const ratio = Math.floor(trainTimesteps / points);
  return Array.from({ length: points }, (_, i) => (points - 1 - i) * ratio + stepsOffset);
}

/**
 * numpy's `round(arange(T, 0, -T/steps)) - 1`, always `steps` long. numpy's own is one longer for some counts (61, 103,
 * 121, ...), where rounding leaves a last value just off 0; diffusers then runs a broken extra step at timestep -1.
 */
function trailing(trainTimesteps: number, steps: number): number[] {
  // numpy takes the difference of its first two values for the step, and a tie below feels that bit.
  const delta = trainTimesteps - trainTimesteps / steps - trainTimesteps;
  return Array.from({ length: steps }, (_, i) => roundHalfEven(trainTimesteps + i * delta) - 1);
}

/** With as many steps as training timesteps an offset would lead past the last one: then it is not applied in full. */
function keepWithin(trainTimesteps: number, timesteps: number[]): number[] {
  const excess = Math.max(0, at(timesteps, 0) - (trainTimesteps - 1));
  return excess === 0 ? timesteps : timesteps.map((timestep) => timestep - excess);
}

function refuseMoreStepsThan(most: number, steps: number): void {
  if (steps <= most) return;
  throw new ImpastoError(
    'REQUEST_INVALID',
    `${steps} steps are more than the ${most} that this sampler can take from this model.`,
    `Choose at most ${most} steps.`,
  );
}
