/**
 * A stem, e.g. `lora_te1_text_model_encoder_layers_0_mlp_fc1` or `unet.mid_block.attentions.0.proj_in`, as network and
 * module. Stems are compared with every dot written as `_`: sd-scripts did so to the dots, which makes `_` ambiguous, and
 * only the model's own module names tell where the dots were.
 */

export const networks = ['unet', 'textEncoder', 'textEncoder2'] as const;
export type Network = (typeof networks)[number];

export function underscored(name: string): string {
  return name.replaceAll('.', '_');
}

/** Longest first, so that `text_encoder_2` is not taken for `text_encoder`. */
const prefixes: [prefix: string, network: Network][] = (
  [
    ['lora_unet', 'unet'],
    ['lycoris_unet', 'unet'],
    ['unet', 'unet'],
    ['model_diffusion_model', 'unet'],
    ['diffusion_model', 'unet'],
    ['lora_te', 'textEncoder'],
    ['lora_te1', 'textEncoder'],
    ['lycoris_te', 'textEncoder'],
    ['text_encoder', 'textEncoder'],
    ['text_encoder_1', 'textEncoder'],
    ['te', 'textEncoder'],
    ['te1', 'textEncoder'],
    ['cond_stage_model', 'textEncoder'],
    ['conditioner_embedders_0', 'textEncoder'],
    ['text_encoders_clip_l', 'textEncoder'],
    ['clip_l', 'textEncoder'],
    ['lora_te2', 'textEncoder2'],
    ['text_encoder_2', 'textEncoder2'],
    ['te2', 'textEncoder2'],
    ['conditioner_embedders_1', 'textEncoder2'],
    ['text_encoders_clip_g', 'textEncoder2'],
    ['clip_g', 'textEncoder2'],
  ] satisfies [string, Network][]
).sort(([a], [b]) => b.length - a.length);

/** What tools wrap a whole model in, before or after the network's own prefix. */
const wrappers = [
  'base_model_model_',
  'lycoris_',
  'model_diffusion_model_',
  'diffusion_model_',
  'transformer_',
  'model_',
];

export interface StemReading {
  /** Null where no prefix says. */
  network: Network | null;
  /** The module's name, underscored, the likeliest reading first. */
  modules: string[];
}

export function readStem(stem: string): StemReading {
  let rest = underscored(stem);
  if (rest.startsWith('base_model_model_')) rest = rest.slice('base_model_model_'.length);
  const found = prefixes.find(([prefix]) => rest.startsWith(`${prefix}_`));
  const network = found?.[1] ?? null;
  if (found) rest = rest.slice(found[0].length + 1);
  const modules = [rest];
  for (let inner = rest, again = true; again; ) {
    again = false;
    for (const wrapper of wrappers) {
      if (!inner.startsWith(wrapper)) continue;
      inner = inner.slice(wrapper.length);
      modules.push(inner);
      again = true;
    }
  }
  return { network, modules };
}

/** The network that a stem without a prefix speaks of, by what only that network has. */
export function networkByModule(module: string): Network | null {
  if (
    /^(?:down_blocks|up_blocks|mid_block|input_blocks|output_blocks|middle_block|time_emb|conv_(?:in|out))/.test(module)
  ) {
    return 'unet';
  }
  return /^(?:text_model|encoder_layers|resblocks|text_projection)/.test(module) ? 'textEncoder' : null;
}

/** How many layers each network has, by the stems of their keys. */
export function layersByNetwork(stems: Iterable<string>): Record<Network | 'unknown', number> {
  const counts = { unet: 0, textEncoder: 0, textEncoder2: 0, unknown: 0 };
  for (const stem of stems) {
    const { network, modules } = readStem(stem);
    counts[network ?? networkByModule(modules.at(-1) ?? '') ?? 'unknown']++;
  }
  return counts;
}
