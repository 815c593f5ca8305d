import type { DistillationPreset } from '../../contract/adapter.ts';
import { adapterName } from './adapter-name.ts';
import type { Metadata } from './training-facts.ts';

/**
 * Adapters that distil steps or guidance away, and the settings they need. No tensor tells one from a style, so it is
 * what the file's metadata says, else what a sidecar says, else, as a hint, its name.
 */

/** Header key of our own: the kind, one of {@link DistillationPreset.kind}; steps and guidance may be said beside it. */
export const kindKey = 'impasto.kind';
export const stepsKey = 'impasto.steps';
export const guidanceKey = 'impasto.guidance';

type Preset = Omit<DistillationPreset, 'from'>;

const noNegatives = 'Guidance is distilled: one UNet row a step, and negative prompts do not act.';

function presetOf(kind: DistillationPreset['kind'], steps: number | null): Preset {
  switch (kind) {
    case 'lcm-lora':
      return { kind, steps: steps ?? 4, guidance: 1, scheduler: 'lcm', note: `LCM-LoRA: 2 to 8 steps. ${noNegatives}` };
    case 'turbo':
      return {
        kind,
        steps: steps ?? 4,
        guidance: 0,
        scheduler: 'euler',
        spacing: 'trailing',
        note: `Turbo: 1 to 4 steps. ${noNegatives}`,
      };
    case 'lightning':
      return {
        kind,
        steps: steps ?? 4,
        guidance: 0,
        scheduler: 'euler',
        spacing: 'trailing',
        note: `Lightning: exactly ${steps ?? 4} steps. ${noNegatives}`,
      };
    case 'hyper':
      // The one-step LoRA is unified over 1 to 8 steps and meant for TCD with eta; the others for DDIM.
      if (steps === 1) {
        return { kind, steps, guidance: 0, scheduler: 'tcd', eta: 1, note: `Hyper-SD, 1 to 8 steps. ${noNegatives}` };
      }
      return {
        kind,
        steps: steps ?? 8,
        guidance: 0,
        scheduler: 'ddim',
        spacing: 'trailing',
        note: `Hyper-SD: exactly ${steps ?? 8} steps. ${noNegatives}`,
      };
    case 'tcd':
      return {
        kind,
        steps: steps ?? 4,
        guidance: 0,
        scheduler: 'tcd',
        eta: 0.3,
        note: `TCD: 4 to 20 steps. ${noNegatives}`,
      };
    case 'guidance':
      return { kind, steps: steps ?? 20, guidance: 1, scheduler: 'ddim', note: noNegatives };
  }
}

/** Hyper-SD's CFG-preserved LoRAs, 8 and 12 steps, take guidance and negative prompts. */
function withGuidance(steps: number | null): Preset {
  return {
    kind: 'hyper',
    steps: steps ?? 8,
    guidance: 6,
    scheduler: 'ddim',
    spacing: 'trailing',
    note: `Hyper-SD with guidance kept: exactly ${steps ?? 8} steps, guidance 5 to 8; negative prompts act.`,
  };
}

const kinds = ['lcm-lora', 'turbo', 'lightning', 'hyper', 'tcd', 'guidance'] as const;

export interface DistillationEvidence {
  path: string;
  metadata: Metadata;
  /** The base a sidecar names, e.g. `SDXL Hyper`. */
  sidecarBase: string | null;
}

export function recogniseDistillation({
  path,
  metadata,
  sidecarBase,
}: DistillationEvidence): DistillationPreset | null {
  const value = (key: string): string | undefined => (Object.hasOwn(metadata, key) ? metadata[key] : undefined);
  const own = kinds.find((kind) => kind === value(kindKey));
  if (own) {
    const preset = presetOf(own, wholeNumber(value(stepsKey)));
    const guidance = Number(value(guidanceKey) ?? Number.NaN);
    const given = Number.isFinite(guidance) && guidance >= 0 && guidance <= 100;
    return { ...preset, ...(given && { guidance }), from: 'metadata' };
  }
  const title = value('modelspec.title') ?? value('ss_output_name') ?? '';
  const name = `${adapterName(path)} ${title}`;
  const sidecar = sidecarBase === null ? null : presetByName(sidecarBase);
  // The base tells the kind; only the name tells the steps.
  if (sidecar) return { ...(presetByName(`${sidecarBase} ${name}`) ?? sidecar), from: 'sidecar' };
  const named = presetByName(name);
  return named && { ...named, from: 'name', note: `${named.note} (A guess from its name.)` };
}

function presetByName(text: string): Preset | null {
  const name = text.toLowerCase().replace(/[_.]+/g, '-');
  const steps = wholeNumber(/(\d{1,2})[\s-]*steps?(?![a-z])/.exec(name)?.[1]);
  const word = (pattern: string): boolean => new RegExp(`(?:^|[^a-z])(?:${pattern})(?![a-z])`).test(name);
  if (word('hyper-?sd(?:15|xl|3)?|(?:sd ?1-5|sdxl) hyper'))
    return word('cfg') ? withGuidance(steps) : presetOf('hyper', steps);
  if (word('lcm')) return presetOf('lcm-lora', steps);
  if (word('tcd')) return presetOf('tcd', steps);
  if (word('lightning')) return presetOf('lightning', steps);
  if (word('turbo')) return presetOf('turbo', steps);
  return null;
}

function wholeNumber(text: string | undefined): number | null {
  const value = Number(text);
  return text !== undefined && Number.isInteger(value) && value >= 1 && value <= 1000 ? value : null;
}
