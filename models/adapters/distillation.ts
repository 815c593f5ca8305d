import type { DistillationPreset, LayerCount } from '../../contract/adapter.ts';
import type { LayerTensors } from './adapter-keys.ts';
import { adapterName } from './adapter-name.ts';
import { networkByModule, readStem } from './network-prefixes.ts';
import type { Metadata } from './training-facts.ts';

/**
 * Adapters that distil steps or guidance away, and the settings they need. No tensor tells one from a style for sure, so it
 * is what the file's metadata says, else what a sidecar says, else, as hints, its name and the layers that it has.
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
    case 'dmd2':
      return { kind, steps: steps ?? 4, guidance: 1, scheduler: 'lcm', note: `DMD2: 1 or 4 steps. ${noNegatives}` };
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

const kinds = ['lcm-lora', 'turbo', 'lightning', 'hyper', 'tcd', 'dmd2', 'guidance'] as const;

export interface DistillationEvidence {
  path: string;
  metadata: Metadata;
  /** The base a sidecar names, e.g. `SDXL Hyper`. */
  sidecarBase: string | null;
  /** Its layers are those of a distillation: {@link hasDistilledLayers}. */
  distilledLayers: boolean;
}

export function recogniseDistillation({
  path,
  metadata,
  sidecarBase,
  distilledLayers,
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
  if (named) return { ...named, from: 'name', note: `${named.note} ${guess}` };
  if (!distilledLayers) return null;
  const preset = presetOf('lcm-lora', null);
  const note = `Its layers are those of an adapter for few steps (LCM-LoRA, TCD, Hyper-SD), and its file does not say which. ${noNegatives}`;
  return { ...preset, from: 'layers', note };
}

const guess = '(A guess from its name.)';

/** What a checkpoint's name says of it, where nothing else does: merges of Turbo, Lightning, Hyper and LCM bear it. */
export function distillationByName(name: string): DistillationPreset | null {
  const preset = presetByName(name);
  return preset && { ...preset, from: 'name', note: `${preset.note} ${guess}` };
}

/**
 * Consistency distillation as diffusers' and its followers' scripts do it: rank 64 throughout the UNet, its timestep
 * projections and resampling convolutions too, and nothing of the text encoders. Trainers of styles choose otherwise, and
 * say that they wrote the file.
 */
export function hasDistilledLayers(
  layers: readonly LayerTensors[],
  metadata: Metadata,
  ranks: readonly LayerCount[],
): boolean {
  if (ranks.length !== 1 || ranks[0]?.value !== 64 || Object.keys(metadata).some((key) => key.startsWith('ss_'))) {
    return false;
  }
  const modules = layers
    .map(({ stem }) => readStem(stem))
    .map(({ network, modules }) => {
      const module = modules.at(-1) ?? '';
      return { module, network: network ?? networkByModule(module) };
    });
  const every = [
    /attn1_to_q$/,
    /ff_net_2$/,
    /time_emb_proj$|emb_layers_1$/,
    /conv2$|out_layers_3$/,
    /downsamplers|_0_op$/,
  ];
  return (
    modules.every(({ network }) => network === 'unet') &&
    every.every((pattern) => modules.some(({ module }) => pattern.test(module)))
  );
}

function presetByName(text: string): Preset | null {
  // Words run together by capitals are told apart: v40LightningBaked.
  const name = text
    .replace(/([a-z])([A-Z])|([A-Z])(?=[A-Z][a-z])/g, (found, lower, upper) =>
      lower ? `${lower}-${upper}` : `${found}-`,
    )
    .toLowerCase()
    .replace(/[_.]+/g, '-');
  const steps = wholeNumber(/(\d{1,2})[\s-]*steps?(?![a-z])/.exec(name)?.[1]);
  const word = (pattern: string): boolean => new RegExp(`(?:^|[^a-z])(?:${pattern})(?![a-z])`).test(name);
  if (word('hyper-?sd(?:15|xl|3)?|(?:sd ?1-5|sdxl) hyper'))
    return word('cfg') ? withGuidance(steps) : presetOf('hyper', steps);
  if (word('lcm')) return presetOf('lcm-lora', steps);
  if (word('tcd')) return presetOf('tcd', steps);
  if (word('lightning')) return presetOf('lightning', steps);
  if (word('dmd2?')) return presetOf('dmd2', steps);
  if (word('turbo')) return presetOf('turbo', steps);
  return null;
}

function wholeNumber(text: string | undefined): number | null {
  const value = Number(text);
  return text !== undefined && Number.isInteger(value) && value >= 1 && value <= 1000 ? value : null;
}
