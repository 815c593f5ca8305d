import type { DistillationPreset } from '../../../contract/adapter.ts';
import type { RenderRequestInput } from '../../../contract/request.ts';
import { distillationByName } from '../../../models/adapters/distillation.ts';
import type { Checkpoint } from '../../../models/checkpoint/checkpoint.ts';
import { readStartSettings, startSettingsFile } from './start-settings.ts';

export interface Preset {
  request: RenderRequestInput;
  /** Why these, in a line. */
  reason: string;
}

/**
 * Settings that a model was made for, to start from: distilled models want few steps and no classifier-free guidance,
 * and give noise or burnt colours without. What a model's folder says of itself goes before what its kind wants.
 * @param distillations of the adapters in use: the first decides, before the model
 * @throws ImpastoError `CONFIG_INVALID` where the folder's own start settings are none
 */
export async function presetFor(
  checkpoint: Pick<Checkpoint, 'variant' | 'name' | 'path' | 'layout'>,
  distillations: readonly DistillationPreset[] = [],
): Promise<Preset> {
  const [distilled] = distillations;
  if (distilled) return adapterPreset(distilled);
  const own = await readStartSettings(checkpoint);
  const { request, reason } = presetOfKind(checkpoint);
  return own ? { request: { ...request, ...own }, reason: `its folder's ${startSettingsFile}` } : { request, reason };
}

function presetOfKind(checkpoint: Pick<Checkpoint, 'variant' | 'name'>): Preset {
  switch (checkpoint.variant) {
    case 'lcm':
      return {
        request: { steps: 4, scheduler: { name: 'lcm' }, guidance: { scale: 8 } },
        reason: 'a latent consistency model: 4 steps, guidance embedded',
      };
    case 'turbo':
      return {
        request: { steps: 4, scheduler: { name: 'euler-a', spacing: 'trailing' }, guidance: { scale: 0 } },
        reason: 'a Turbo model: 4 steps, no guidance',
      };
    default: {
      // A single file does not say in its tensors that it is a merge with Turbo or Lightning.
      const named = distillationByName(checkpoint.name);
      if (named) return adapterPreset(named);
      return { request: { scheduler: { name: 'dpmpp-2m', sigmas: 'karras' } }, reason: 'a base model' };
    }
  }
}

function adapterPreset({ steps, guidance, scheduler, spacing, eta, note }: DistillationPreset): Preset {
  return {
    request: {
      steps,
      scheduler: { name: scheduler, ...(spacing ? { spacing } : {}), ...(eta === undefined ? {} : { eta }) },
      guidance: { scale: guidance },
    },
    reason: note,
  };
}
