import type { SchedulerConfig } from '../../../models/checkpoint/component-config.ts';

/**
 * What the model's scheduler config says of a field; undefined where it says nothing. There a sampler takes its own
 * default and not that of the sampler that the config was written for, as diffusers' `from_config` does.
 */
export function stated<Field extends keyof SchedulerConfig>(
  config: SchedulerConfig,
  field: Field,
): SchedulerConfig[Field] | undefined {
  return config.unspecified?.includes(field) ? undefined : config[field];
}
