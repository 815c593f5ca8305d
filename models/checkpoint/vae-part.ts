import type { ImpastoError } from '../../contract/errors.ts';
import type { SafetensorsHeader } from '../weights/safetensors.ts';
import type { WeightMap, WeightRef } from '../weights/weight-map.ts';
import type { AuthoredPart, Family } from './checkpoint.ts';
import type { VaeConfig } from './component-config.ts';
import type { Hints } from './hints.ts';
import { inferVaeConfig } from './infer-vae.ts';
import { currentVaeName, ldmVaeLevels, vaeNameFromLdm, vaeNameToLdm } from './ldm-vae-names.ts';
import { fitWeights } from './missing.ts';
import { vaeDecoderTensors, vaeEncoderTensors } from './module-names.ts';
import { hasUnder, type PartWeights } from './part-weights.ts';

/** The VAE within a file, or alone in one. */

export interface VaeSurvey {
  config: VaeConfig;
  encoder: AuthoredPart<VaeConfig> | null;
  decoder: AuthoredPart<VaeConfig> | null;
  missing: string[];
  problems: ImpastoError[];
  notes: string[];
}

/** Where checkpoints keep their VAE; a VAE alone in a file has no prefix. */
const prefixes = ['first_stage_model.', 'vae.'];

/** The VAE of a single file, in LDM or diffusers names; null where there is none. `bare`: the file may be a VAE alone. */
export function ldmVaePart(header: SafetensorsHeader, bare = false): PartWeights | null {
  for (const prefix of bare ? [...prefixes, ''] : prefixes) {
    const found = new Map<string, WeightRef>();
    for (const [name, ref] of header.tensors) if (name.startsWith(prefix)) found.set(name.slice(prefix.length), ref);
    const isLdm = [...found.keys()].some((name) => /^decoder\.(?:up|mid)\./.test(name));
    const isDiffusers = [...found.keys()].some((name) => /^decoder\.(?:up_blocks|mid_block)\./.test(name));
    if (isLdm) return fromLdm(header.path, prefix, found);
    if (isDiffusers) return diffusersVaePart(header.path, found, prefix);
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

export function diffusersVaePart(source: string, tensors: WeightMap, prefix = ''): PartWeights {
  const weights = new Map<string, WeightRef>();
  for (const [name, ref] of tensors) weights.set(currentVaeName(name), ref);
  return { part: 'VAE', source, weights, nameInFile: (name) => prefix + name };
}

/** Infers the config where none is given, and lays the tensors against it. */
export function surveyVae(part: PartWeights, family: Family, hints: Hints['vae'], given?: VaeConfig): VaeSurvey {
  const config = given ?? inferVaeConfig(part, family, hints);
  const decoder = fitWeights(part, vaeDecoderTensors(config));
  const notes: string[] = [];
  const missing = [...decoder.missing];
  const problems = [...decoder.problems];
  let encoderPart: AuthoredPart<VaeConfig> | null = null;
  if (hasUnder(part, 'encoder.')) {
    const encoder = fitWeights(part, vaeEncoderTensors(config));
    missing.push(...encoder.missing);
    problems.push(...encoder.problems);
    encoderPart = { source: 'weights', config, weights: encoder.weights };
  } else {
    notes.push('The VAE has no encoder: pictures can be drawn, but not drawn over.');
  }
  return { config, encoder: encoderPart, decoder: { source: 'weights', config, weights: decoder.weights }, missing, problems, notes };
}
