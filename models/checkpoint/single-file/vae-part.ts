import type { SafetensorsHeader } from '../../weights/safetensors.ts';
import type { WeightMap, WeightRef } from '../../weights/weight-map.ts';
import type { AuthoredPart } from '../checkpoint.ts';
import type { VaeConfig } from '../component-config.ts';
import { currentVaeName, ldmVaeLevels, vaeNameFromLdm, vaeNameToLdm } from '../ldm-vae-names.ts';
import { vaeDecoderTensors, vaeEncoderTensors } from '../module-names.ts';
import { hasUnder, type PartWeights } from '../part-weights.ts';
import type { Findings } from '../survey.ts';
import { under } from './prefixed.ts';

/** The VAE within a checkpoint, or alone in a file. */

/** Where checkpoints keep their VAE. */
const prefixes = ['first_stage_model.', 'vae.'];

/**
 * The VAE of a single file, in LDM or diffusers names; null where it has none.
 * @param alone Looks for a VAE without a prefix, too: a file that is nothing else.
 */
export function vaeOfFile(header: SafetensorsHeader, alone = false): PartWeights | null {
  for (const prefix of alone ? [...prefixes, ''] : prefixes) {
    const found = under(header, prefix);
    const has = (pattern: RegExp) => [...found.keys()].some((name) => pattern.test(name));
    if (has(/^(?:decoder\.(?:up|mid)|encoder\.(?:down|mid))\./)) return fromLdm(header.path, prefix, found);
    if (has(/^(?:decoder\.up_blocks|encoder\.down_blocks)\./)) return diffusersVae(header.path, found, prefix);
  }
  return null;
}

function fromLdm(source: string, prefix: string, tensors: WeightMap): PartWeights {
  const levels = ldmVaeLevels(tensors.keys());
  const weights = new Map<string, WeightRef>();
  for (const [name, ref] of tensors) {
    const renamed = vaeNameFromLdm(name, levels);
    if (renamed) weights.set(renamed, ref);
  }
  return { part: 'VAE', source, weights, nameInFile: (name) => prefix + vaeNameToLdm(name, levels) };
}

export function diffusersVae(source: string, tensors: WeightMap, prefix = ''): PartWeights {
  const weights = new Map<string, WeightRef>();
  for (const [name, ref] of tensors) weights.set(currentVaeName(name), ref);
  return { part: 'VAE', source, weights, nameInFile: (name) => prefix + name };
}

export interface VaeHalves {
  encoder: AuthoredPart<VaeConfig> | null;
  decoder: AuthoredPart<VaeConfig>;
}

/** Both halves of a VAE against their networks; a VAE may come without its encoder. */
export function fitVae(part: PartWeights, config: VaeConfig, findings: Findings): VaeHalves {
  const decoder = findings.fit('vaeDecoder', part, vaeDecoderTensors(config));
  if (!hasUnder(part, 'encoder.')) {
    findings.missing.push('VAE encoder');
    findings.notes.push('The VAE has no encoder: it can draw, but not start from a picture.');
    return { encoder: null, decoder: { source: 'weights', config, weights: decoder } };
  }
  const encoder = findings.fit('vaeEncoder', part, vaeEncoderTensors(config));
  return {
    encoder: { source: 'weights', config, weights: encoder },
    decoder: { source: 'weights', config, weights: decoder },
  };
}
