import type { VaeConfig } from '../component-config.ts';
import type { Hints } from '../hints.ts';
import { countOf, hasUnder, type PartWeights, shapeOf, sideOf } from '../part-weights.ts';
import { normGroups } from './head-rules.ts';

/** Standard deviations of the trained latent spaces, as the published configs have them. */
export const scalingFactors = { sd1: 0.18215, sd2: 0.18215, sdxl: 0.13025 } as const;

/**
 * A VAE's config from its decoder's tensors, in diffusers names. `scalingFactor` cannot be told from tensors: SD1, SD2
 * and SDXL share the architecture, so the family says.
 * @throws ImpastoError `TENSOR_MISSING` or `TENSOR_SHAPE`.
 */
export function inferVaeConfig(
  part: PartWeights,
  family: keyof typeof scalingFactors,
  hints: Hints['vae'] = {},
): VaeConfig {
  const levels = countOf(part, 'decoder.up_blocks.*');
  const [, latentChannels = 0] = shapeOf(part, 'decoder.conv_in.weight', 4);
  const widths = Array.from({ length: levels }, (_, i) =>
    sideOf(part, `decoder.up_blocks.${levels - 1 - i}.resnets.0.conv1.weight`, 4, 0),
  );
  const outChannels = sideOf(part, 'decoder.conv_out.weight', 4, 0);
  const hasEncoder = hasUnder(part, 'encoder.');
  return {
    inChannels: hasEncoder ? sideOf(part, 'encoder.conv_in.weight', 4, 1) : outChannels,
    outChannels,
    latentChannels,
    blockOutChannels: widths,
    layersPerBlock: Math.max(...widths.map((_, i) => countOf(part, `decoder.up_blocks.${i}.resnets.*`)), 1) - 1,
    normNumGroups: hints?.normNumGroups ?? normGroups(widths),
    scalingFactor: hints?.scalingFactor ?? scalingFactors[family],
    shiftFactor: 0,
    useQuantConv: hasUnder(part, 'quant_conv.'),
    usePostQuantConv: hasUnder(part, 'post_quant_conv.'),
    midBlockAttention: hasUnder(part, 'decoder.mid_block.attentions.'),
    forceUpcast: family === 'sdxl',
  };
}
