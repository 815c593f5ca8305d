import type { SigmaSchedule, TimestepSpacing } from '../../../contract/request.ts';
import { at, interpolate, linspace, roundHalfEven } from './numbers.ts';
import { fractionalTimesteps, type SpacingRequest, solverTimesteps } from './timestep-spacing.ts';

/**
 * Noise levels in the terms of Karras et al. 2022: sigma is the noise's standard deviation where the signal's scale is
 * 1, so sigma = sqrt((1 - a) / a) for alpha-bar a.
 */
export interface SigmaSteps {
  /** One for each step, falling, and a last 0: step i leads from sigmas[i] to sigmas[i + 1]. */
  sigmas: number[];
  /** What the UNet is told at each step. */
  timesteps: number[];
}

/** Stands for the signal share at a last timestep that has none, so that its sigma (4096) is finite. */
const leastSignal = 2 ** -24;
/** The rho of Karras et al. 2022, eq. 5. */
const karrasRho = 7;

/** The sigma of each training timestep, rising. */
export function trainingSigmas(alphasCumprod: Float32Array): Float32Array {
  return alphasCumprod.map((alphaCumprod) => {
    const signal = alphaCumprod === 0 ? leastSignal : alphaCumprod;
    return Math.sqrt(Math.fround(Math.fround(1 - signal) / signal));
  });
}

/** `steps` sigmas from `max` to `min` (Karras et al. 2022, eq. 5). */
export function karrasSigmas(max: number, min: number, steps: number): number[] {
  const [maxRoot, minRoot] = [max ** (1 / karrasRho), min ** (1 / karrasRho)];
  return linspace(0, 1, steps).map((ramp) => (maxRoot + ramp * (minRoot - maxRoot)) ** karrasRho);
}

/** `steps` sigmas from `max` to `min`, evenly in their logarithm. */
export function exponentialSigmas(max: number, min: number, steps: number): number[] {
  return linspace(Math.log(max), Math.log(min), steps).map(Math.exp);
}

/**
 * The timestep, fractional, at which the model was trained on `sigma`: linear in log sigma between neighbours.
 * @param table {@link trainingSigmas}
 */
export function timestepOfSigma(sigma: number, table: Float32Array): number {
  const logSigma = Math.log(Math.max(sigma, 1e-10));
  const logAt = (index: number) => Math.fround(Math.log(at(table, index)));
  let below = 0;
  let above = table.length;
  while (above - below > 1) {
    const middle = (below + above) >> 1;
    if (logAt(middle) <= logSigma) below = middle;
    else above = middle;
  }
  below = Math.min(below, table.length - 2);
  const [low, high] = [logAt(below), logAt(below + 1)];
  const share = Math.min(1, Math.max(0, (low - logSigma) / (low - high)));
  return (1 - share) * below + share * (below + 1);
}

/**
 * The spacing that a request comes to. `sgm-uniform` is the trailing spacing with the model's own sigmas, as diffusers
 * maps it: SGM's own timesteps, floor((T - 1)(1 - i / n)), are the same or one apart.
 */
export function effectiveSpacing(spacing: TimestepSpacing, schedule: SigmaSchedule): TimestepSpacing {
  return schedule === 'sgm-uniform' ? 'trailing' : spacing;
}

/**
 * The steps of Euler, Euler a and Heun. Karras and exponential sigmas run between the first and the last sigma that the
 * spacing would give, and the UNet is told fractional timesteps.
 */
export function eulerSteps(table: Float32Array, schedule: SigmaSchedule, request: SpacingRequest): SigmaSteps {
  const timesteps = fractionalTimesteps(request);
  const spaced = timesteps.map((timestep) => interpolate(table, timestep));
  const sigmas = layOut(schedule, at(spaced, 0), at(spaced, spaced.length - 1), request.steps);
  if (!sigmas) return finish(spaced, timesteps);
  return finish(
    sigmas,
    sigmas.map((sigma) => Math.fround(timestepOfSigma(sigma, table))),
  );
}

/**
 * The steps of DPM-Solver++ and UniPC. Karras and exponential sigmas run over the model's whole range, and the UNet is
 * told whole timesteps: rounded for Karras (`roundKarras`), else cut off, as diffusers casts them.
 */
export function solverSteps(
  table: Float32Array,
  schedule: SigmaSchedule,
  request: SpacingRequest,
  roundKarras: boolean,
): SigmaSteps {
  const sigmas = layOut(schedule, at(table, table.length - 1), at(table, 0), request.steps);
  if (!sigmas) {
    const timesteps = solverTimesteps(request);
    return finish(
      timesteps.map((timestep) => interpolate(table, timestep)),
      timesteps,
    );
  }
  const whole = schedule === 'karras' && roundKarras ? roundHalfEven : Math.trunc;
  return finish(
    sigmas,
    sigmas.map((sigma) => whole(timestepOfSigma(sigma, table))),
  );
}

/** The standard deviation of the first latent for samplers that work at the scale of sigma. */
export function initialSigma({ sigmas }: SigmaSteps, spacing: TimestepSpacing): number {
  const max = Math.max(...sigmas);
  return spacing === 'leading' ? Math.hypot(max, 1) : max;
}

/** Null where the spacing alone lays out the sigmas. */
function layOut(schedule: SigmaSchedule, max: number, min: number, steps: number): number[] | null {
  if (schedule === 'karras') return karrasSigmas(max, min, steps);
  if (schedule === 'exponential') return exponentialSigmas(max, min, steps);
  return null;
}

function finish(sigmas: number[], timesteps: number[]): SigmaSteps {
  return { sigmas: [...sigmas.map(Math.fround), 0], timesteps };
}
