/**
 * LDM names of a VAE (`decoder.up.3.block.0.conv1.weight`) and diffusers'
 * (`decoder.up_blocks.0.resnets.0.conv1.weight`). LDM counts the decoder's levels from the picture's side, diffusers in
 * the order in which they run.
 */

/** Levels of the decoder, from LDM names. */
export function ldmVaeLevels(names: Iterable<string>): number {
  let levels = 0;
  for (const name of names) {
    const match = /^decoder\.up\.(\d{1,3})\./.exec(name);
    if (match) levels = Math.max(levels, Number(match[1]) + 1);
  }
  return levels;
}

const attentionModules: [ldm: string, diffusers: string][] = [
  ['norm', 'group_norm'],
  ['q', 'to_q'],
  ['k', 'to_k'],
  ['v', 'to_v'],
  ['proj_out', 'to_out.0'],
];

/** Names before diffusers 0.16 of the attention's modules. */
const oldAttentionModules = new Map([
  ['query', 'to_q'],
  ['key', 'to_k'],
  ['value', 'to_v'],
  ['proj_attn', 'to_out.0'],
]);

/** A tensor's diffusers name; null where it is none of a VAE's. `levels` as {@link ldmVaeLevels} tells them. */
export function vaeNameFromLdm(name: string, levels: number): string | null {
  if (/^(?:post_)?quant_conv\.|^(?:en|de)coder\.conv_(?:in|out)\./.test(name)) return name;
  let match = /^(encoder|decoder)\.norm_out\.(\w+)$/.exec(name);
  if (match) return `${match[1]}.conv_norm_out.${match[2]}`;

  match = /^encoder\.down\.(\d+)\.(?:block\.(\d+)\.([\w.]+)|downsample\.conv\.(\w+))$/.exec(name);
  if (match) {
    const block = `encoder.down_blocks.${match[1]}`;
    return match[2]
      ? `${block}.resnets.${match[2]}.${resnetName(match[3])}`
      : `${block}.downsamplers.0.conv.${match[4]}`;
  }
  match = /^decoder\.up\.(\d+)\.(?:block\.(\d+)\.([\w.]+)|upsample\.conv\.(\w+))$/.exec(name);
  if (match) {
    const block = `decoder.up_blocks.${levels - 1 - Number(match[1])}`;
    return match[2] ? `${block}.resnets.${match[2]}.${resnetName(match[3])}` : `${block}.upsamplers.0.conv.${match[4]}`;
  }
  match = /^(encoder|decoder)\.mid\.block_([12])\.([\w.]+)$/.exec(name);
  if (match) return `${match[1]}.mid_block.resnets.${Number(match[2]) - 1}.${resnetName(match[3])}`;
  match = /^(encoder|decoder)\.mid\.attn_1\.(\w+)\.(\w+)$/.exec(name);
  if (match) {
    const module = attentionModules.find(([ldm]) => ldm === match?.[2])?.[1];
    return module ? `${match[1]}.mid_block.attentions.0.${module}.${match[3]}` : null;
  }
  return null;
}

/** The reverse, to name a tensor as the artist's file does. */
export function vaeNameToLdm(name: string, levels: number): string {
  const attention = /^(\w+)\.mid_block\.attentions\.0\.([\w.]+)\.(\w+)$/.exec(name);
  if (attention) {
    const module = attentionModules.find(([, diffusers]) => diffusers === attention[2])?.[0] ?? attention[2];
    return `${attention[1]}.mid.attn_1.${module}.${attention[3]}`;
  }
  return name
    .replace('conv_norm_out', 'norm_out')
    .replace('conv_shortcut', 'nin_shortcut')
    .replace(/mid_block\.resnets\.(\d+)/, (_, index: string) => `mid.block_${Number(index) + 1}`)
    .replace('down_blocks.', 'down.')
    .replace(/up_blocks\.(\d+)/, (_, index: string) => `up.${levels - 1 - Number(index)}`)
    .replace('.resnets.', '.block.')
    .replace('.downsamplers.0.', '.downsample.')
    .replace('.upsamplers.0.', '.upsample.');
}

/** Today's name of a tensor in a diffusers VAE of any age. */
export function currentVaeName(name: string): string {
  return name.replace(
    /(\.attentions\.0\.)(query|key|value|proj_attn)(?=\.)/,
    (_, path: string, module: string) => path + oldAttentionModules.get(module),
  );
}

function resnetName(rest: string | undefined): string {
  return (rest ?? '').replace('nin_shortcut', 'conv_shortcut');
}
