import type { Family } from '../checkpoint/checkpoint.ts';
import type { LayerTensors } from './adapter-keys.ts';
import { layerSize } from './layer-shape.ts';
import { networkByModule, readStem, underscored } from './network-prefixes.ts';
import type { Metadata } from './training-facts.ts';

/** The base an adapter was made for, from the file alone. */
export interface BaseGuess {
  /** Null: unknown, or a family that Impasto does not draw with. */
  family: Family | null;
  /** In words, e.g. `SDXL` or `Flux`; null where unknown. */
  title: string | null;
  from: 'layers' | 'metadata' | null;
}

export const baseTitles: Record<Family, string> = { sd1: 'SD 1.x', sd2: 'SD 2.x', sdxl: 'SDXL' };

/** Layers tell more surely than what a trainer wrote; a file may have layers that all families have. */
export function guessBase(layers: readonly LayerTensors[], metadata: Metadata): BaseGuess {
  const byLayers = baseByLayers(layers);
  return byLayers ?? baseByMetadata(metadata) ?? { family: null, title: null, from: null };
}

function known(family: Family, from: 'layers' | 'metadata'): BaseGuess {
  return { family, title: baseTitles[family], from };
}

/** Module names that only another architecture has. */
const others: [pattern: RegExp, title: string][] = [
  [/double_blocks_|single_blocks_|single_transformer_blocks_/, 'Flux'],
  [/joint_blocks_|^(?:lora_te3|text_encoder_3)_/, 'Stable Diffusion 3'],
  [/^lora_prior_|^prior_|stage_c/, 'Stable Cascade'],
  [
    /^(?:lora_)?transformer_(?!text_model|resblocks)|^lora_unet_blocks_\d|^diffusion_model_(?:blocks|layers)_\d/,
    'a diffusion transformer',
  ],
];

/** Width of the text that cross-attention reads: CLIP-L, OpenCLIP-H, both of SDXL's encoders. */
const contextWidths = new Map<number, Family>([
  [768, 'sd1'],
  [1024, 'sd2'],
  [2048, 'sdxl'],
]);

export function baseByLayers(layers: readonly LayerTensors[]): BaseGuess | null {
  const votes = new Map<Family, number>();
  const vote = (family: Family): void => void votes.set(family, (votes.get(family) ?? 0) + 1);
  let secondEncoder = false;
  for (const layer of layers) {
    const stem = underscored(layer.stem);
    const other = others.find(([pattern]) => pattern.test(stem));
    if (other) return { family: null, title: other[1], from: 'layers' };
    const { network, modules } = readStem(layer.stem);
    const module = modules.at(-1) ?? '';
    if (network === 'textEncoder2') secondEncoder = true;
    if ((network ?? networkByModule(module)) !== 'unet') continue;
    if (/attn2_to_[kv]$/.test(module)) {
      const family = contextWidths.get(layerSize(layer).input ?? 0);
      if (family) vote(family);
    }
  }
  const [first] = [...votes].sort(([, a], [, b]) => b - a);
  if (first) return known(first[0], 'layers');
  return secondEncoder ? known('sdxl', 'layers') : null;
}

export function baseByMetadata(metadata: Metadata): BaseGuess | null {
  const value = (key: string): string => (Object.hasOwn(metadata, key) ? (metadata[key] ?? '') : '').toLowerCase();
  const said = `${value('ss_base_model_version')} ${value('modelspec.architecture')} ${value('base')}`;
  if (/sdxl|stable-diffusion-xl/.test(said)) return known('sdxl', 'metadata');
  const other = /(flux|sd3|stable-diffusion-3|cascade|hunyuan|wan|lumina|chroma|qwen|auraflow|pixart|kolors)/.exec(
    said,
  )?.[1];
  if (other)
    return { family: null, title: other.startsWith('s') ? 'Stable Diffusion 3' : titled(other), from: 'metadata' };
  if (/sd_v2|stable-diffusion-v2|sd_2/.test(said) || value('ss_v2') === 'true') return known('sd2', 'metadata');
  if (/sd_v1|sd_1|stable-diffusion-v1/.test(said) || value('ss_v2') === 'false') return known('sd1', 'metadata');
  return null;
}

function titled(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
