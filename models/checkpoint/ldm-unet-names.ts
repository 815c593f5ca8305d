import type { UNetConfig } from './component-config.ts';

/**
 * LDM / sgm names of a UNet (`input_blocks.4.1.proj_in.weight`) and diffusers' (`down_blocks.1.attentions.0...`).
 *
 * LDM numbers blocks through: input 0 is conv_in, then each down block's layers and, but for the last block, its
 * downsampler; the output blocks are the up blocks' layers, an upsampler being the last entry of a block's last layer.
 */

/** What of a UNet's layout decides its LDM numbering. */
export type UNetLayout = Pick<UNetConfig, 'layersPerBlock' | 'upBlockAttention'>;

/** Module prefixes, LDM -> diffusers, e.g. `input_blocks.4.1` -> `down_blocks.1.attentions.0`. */
export function ldmUNetModules(layout: UNetLayout): Map<string, string> {
  const modules = new Map<string, string>([
    ['input_blocks.0.0', 'conv_in'],
    ['time_embed.0', 'time_embedding.linear_1'],
    ['time_embed.2', 'time_embedding.linear_2'],
    // LCM's guidance embedding has no LDM name of its own; converters leave diffusers' name in place.
    ['time_embed.cond_proj', 'time_embedding.cond_proj'],
    ['time_embedding.cond_proj', 'time_embedding.cond_proj'],
    ['label_emb.0.0', 'add_embedding.linear_1'],
    ['label_emb.0.2', 'add_embedding.linear_2'],
    ['middle_block.0', 'mid_block.resnets.0'],
    ['middle_block.1', 'mid_block.attentions.0'],
    ['middle_block.2', 'mid_block.resnets.1'],
    ['out.0', 'conv_norm_out'],
    ['out.2', 'conv_out'],
  ]);
  const blocks = layout.layersPerBlock.length;
  let input = 1;
  for (const [block, layers] of layout.layersPerBlock.entries()) {
    for (let layer = 0; layer < layers; layer++, input++) {
      modules.set(`input_blocks.${input}.0`, `down_blocks.${block}.resnets.${layer}`);
      modules.set(`input_blocks.${input}.1`, `down_blocks.${block}.attentions.${layer}`);
    }
    if (block < blocks - 1) modules.set(`input_blocks.${input++}.0.op`, `down_blocks.${block}.downsamplers.0.conv`);
  }
  let output = 0;
  for (let block = 0; block < blocks; block++) {
    const layers = (layout.layersPerBlock[blocks - 1 - block] ?? 0) + 1;
    const attention = layout.upBlockAttention[block] ?? false;
    for (let layer = 0; layer < layers; layer++, output++) {
      modules.set(`output_blocks.${output}.0`, `up_blocks.${block}.resnets.${layer}`);
      if (attention) modules.set(`output_blocks.${output}.1`, `up_blocks.${block}.attentions.${layer}`);
    }
    if (block < blocks - 1) {
      modules.set(`output_blocks.${output - 1}.${attention ? 2 : 1}.conv`, `up_blocks.${block}.upsamplers.0.conv`);
    }
  }
  return modules;
}

/** Within a ResNet block, LDM -> diffusers. */
const resnetModules = new Map([
  ['in_layers.0', 'norm1'],
  ['in_layers.2', 'conv1'],
  ['emb_layers.1', 'time_emb_proj'],
  ['out_layers.0', 'norm2'],
  ['out_layers.3', 'conv2'],
  ['skip_connection', 'conv_shortcut'],
]);
const ldmResnetModules = new Map([...resnetModules].map(([ldm, diffusers]) => [diffusers, ldm]));

/** Names both ways for a UNet of this layout; null for a name that is none of its tensors. */
export function ldmUNetNaming(layout: UNetLayout): {
  toDiffusers(ldm: string): string | null;
  toLdm(diffusers: string): string | null;
} {
  const modules = ldmUNetModules(layout);
  const reverse = new Map([...modules].map(([ldm, diffusers]) => [diffusers, ldm]));
  return {
    toDiffusers(name) {
      const found = splitAtModule(name, modules);
      if (!found) return null;
      const { module, rest } = found;
      return join(module, rest, isResnet(module) ? resnetModules : null);
    },
    toLdm(name) {
      const found = splitAtModule(name, reverse);
      if (!found) return null;
      const { prefix, module, rest } = found;
      return join(module, rest, isResnet(prefix) ? ldmResnetModules : null);
    },
  };
}

function isResnet(diffusersModule: string): boolean {
  return /\.resnets\.\d+$/.test(diffusersModule);
}

/** The longest prefix of `name` that `modules` knows, what it maps to, and the parts after it. */
function splitAtModule(
  name: string,
  modules: ReadonlyMap<string, string>,
): { prefix: string; module: string; rest: string[] } | null {
  const parts = name.split('.');
  for (let length = parts.length - 1; length > 0; length--) {
    const prefix = parts.slice(0, length).join('.');
    const module = modules.get(prefix);
    if (module !== undefined) return { prefix, module, rest: parts.slice(length) };
  }
  return null;
}

function join(module: string, rest: string[], inner: ReadonlyMap<string, string> | null): string | null {
  if (!inner) return [module, ...rest].join('.');
  const renamed = inner.get(rest.slice(0, -1).join('.'));
  return renamed === undefined ? null : `${module}.${renamed}.${rest.at(-1)}`;
}

/**
 * The layout, from the names alone: a block ends at its downsampler (`.0.op`) or upsampler (`.1.conv` / `.2.conv`).
 * @param names LDM names without the `model.diffusion_model.` prefix.
 */
export function ldmUNetLayout(names: Iterable<string>): UNetLayout {
  const downsamplers = new Set<number>();
  const upsamplers = new Set<number>();
  const attentions = new Set<number>();
  let lastInput = 0;
  let lastOutput = -1;
  for (const name of names) {
    const match = /^(input|output)_blocks\.(\d{1,4})\.(\d)\.(\w+)/.exec(name);
    if (!match) continue;
    const index = Number(match[2]);
    const isConv = match[4] === 'conv';
    if (match[1] === 'input') {
      lastInput = Math.max(lastInput, index);
      if (match[4] === 'op') downsamplers.add(index);
    } else {
      lastOutput = Math.max(lastOutput, index);
      if (isConv) upsamplers.add(index);
      else if (match[3] === '1') attentions.add(index);
    }
  }
  const layersPerBlock: number[] = [];
  let layers = 0;
  for (let index = 1; index <= lastInput + 1; index++) {
    if (index <= lastInput && !downsamplers.has(index)) layers++;
    else {
      layersPerBlock.push(layers);
      layers = 0;
    }
  }
  const upBlockAttention: boolean[] = [];
  let attention = false;
  for (let index = 0; index <= lastOutput; index++) {
    attention ||= attentions.has(index);
    if (upsamplers.has(index) || index === lastOutput) {
      upBlockAttention.push(attention);
      attention = false;
    }
  }
  return { layersPerBlock, upBlockAttention };
}
