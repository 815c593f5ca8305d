import { ImpastoError } from '../../../contract/errors.ts';
import type { SchedulerConfig } from '../../../models/checkpoint/component-config.ts';

/**
 * `steps` falling timesteps, evenly chosen among the lower `share` of those that a distilled model learned from its
 * teacher (LCM: Luo et al. 2023; TCD takes them over).
 * @throws ImpastoError `REQUEST_INVALID` where there are not that many, `CONFIG_INVALID` for an impossible teacher.
 */
export function distilledTimesteps(sampler: string, config: SchedulerConfig, steps: number, share: number): number[] {
  const teacherSteps = config.originalInferenceSteps;
  if (teacherSteps < 1 || teacherSteps > config.numTrainTimesteps) {
    throw new ImpastoError(
      'CONFIG_INVALID',
      `The scheduler config speaks of ${teacherSteps} teacher steps over ${config.numTrainTimesteps} training timesteps.`,
      "Correct `original_inference_steps` in the model's scheduler_config.json: it is usually 50.",
    );
  }
  const stride = Math.floor(config.numTrainTimesteps / teacherSteps);
  const available = Math.trunc(teacherSteps * share);
  if (available === 0) return [];
  if (steps > available) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `${sampler} can take at most ${available} steps here, and ${steps} were asked for.`,
      share < 1 ? 'Choose fewer steps or a higher strength.' : 'Choose fewer steps; it is made for 1 to 8.',
    );
  }
  const each = available / steps;
  return Array.from({ length: steps }, (_, i) => (available - Math.floor(i * each)) * stride - 1);
}
