import { ImpastoError } from '../../../contract/errors.ts';
import type { UNetConfig } from '../component-config.ts';
import type { Hints } from '../hints.ts';
import { countOf, hasUnder, type PartWeights, shapeOf, sideOf } from '../part-weights.ts';
import { eightHeads, headsOf64, normGroups } from './head-rules.ts';

/** Bounds that hold for every published model with room to spare (4 blocks, 2 layers). */
export const maxBlocks = 8;
export const maxLayers = 16;

/**
 * A UNet's config from its tensors' names (diffusers') and shapes.
 *
 * What they do not tell: heads and groups follow `head-rules.ts` (SD1, known by its 1x1-conv projections, has 8 heads;
 * SD2 and SDXL heads of 64 channels). `sampleSize` is left 0 for the caller, who knows the family. SDXL's
 * `addition.timeEmbedDim` needs the second text encoder's width: see {@link additionTimeDim}.
 * @throws ImpastoError `TENSOR_MISSING`, `TENSOR_SHAPE` or `UNKNOWN_ARCHITECTURE`.
 */
export function inferUNetConfig(part: PartWeights, hints: Hints['unet'] = {}): UNetConfig {
  const blocks = countOf(part, 'down_blocks.*', maxBlocks);
  const range = Array.from({ length: blocks }, (_, i) => i);
  const [firstChannels = 0, inChannels = 0] = shapeOf(part, 'conv_in.weight', 4);
  if (blocks === 0) throw unknown(part, 'it has no down blocks');

  const blockOutChannels = range.map((i) => sideOf(part, `down_blocks.${i}.resnets.0.conv1.weight`, 4, 0));
  const downBlockAttention = range.map((i) => hasUnder(part, `down_blocks.${i}.attentions.`));
  const upBlockAttention = range.map((i) => hasUnder(part, `up_blocks.${i}.attentions.`));
  const midAttention = hasUnder(part, 'mid_block.attentions.');
  const firstTransformer = firstAttention(downBlockAttention, upBlockAttention, midAttention);
  if (firstTransformer === null) throw unknown(part, 'it has no cross-attention');

  const projection = `${firstTransformer}.proj_in.weight`;
  const projectionRank = part.weights.get(projection)?.shape.length === 2 ? 2 : 4;
  shapeOf(part, projection, projectionRank);
  const useLinearProjection = projectionRank === 2;

  const widths = [firstChannels, ...blockOutChannels];
  const heads = useLinearProjection ? headsOf64 : eightHeads;
  const condProj = part.weights.get('time_embedding.cond_proj.weight');
  return {
    inChannels,
    outChannels: sideOf(part, 'conv_out.weight', 4, 0),
    sampleSize: hints?.sampleSize ?? 0,
    blockOutChannels,
    downBlockAttention,
    upBlockAttention,
    midBlock: midAttention ? 'cross-attention' : hasUnder(part, 'mid_block.resnets.') ? 'resnet' : null,
    layersPerBlock: range.map((i) => countOf(part, `down_blocks.${i}.resnets.*`, maxLayers)),
    transformerLayersPerBlock: transformerDepths(part, downBlockAttention, upBlockAttention, midAttention),
    attentionHeads: headsPerBlock(part, hints?.attentionHeads, blockOutChannels, heads),
    crossAttentionDim: sideOf(part, `${firstTransformer}.transformer_blocks.0.attn2.to_k.weight`, 2, 1),
    useLinearProjection,
    normNumGroups: hints?.normNumGroups ?? normGroups(widths),
    normEps: 1e-5,
    flipSinToCos: true,
    freqShift: 0,
    addition: hasUnder(part, 'add_embedding.')
      ? { timeEmbedDim: 0, projectionInputDim: sideOf(part, 'add_embedding.linear_1.weight', 2, 1) }
      : null,
    timeCondProjDim: condProj ? sideOf(part, 'time_embedding.cond_proj.weight', 2, 1) : null,
    timeEmbedDim: sideOf(part, 'time_embedding.linear_1.weight', 2, 0),
  };
}

/**
 * SDXL projects the pooled text state and six embedded numbers (sizes and crop) together, so each number's embedding
 * has (projection input - pooled width) / 6 channels.
 */
export function additionTimeDim(part: PartWeights, projectionInputDim: number, pooledDim: number): number {
  const dim = (projectionInputDim - pooledDim) / 6;
  if (!Number.isInteger(dim) || dim <= 0) {
    throw unknown(
      part,
      `its added conditioning has ${projectionInputDim} channels, SDXL's would have ${pooledDim} + 6 n`,
    );
  }
  return dim;
}

function firstAttention(down: boolean[], up: boolean[], mid: boolean): string | null {
  const downIndex = down.indexOf(true);
  if (downIndex >= 0) return `down_blocks.${downIndex}.attentions.0`;
  if (mid) return 'mid_block.attentions.0';
  const upIndex = up.indexOf(true);
  return upIndex >= 0 ? `up_blocks.${upIndex}.attentions.0` : null;
}

function headsPerBlock(
  part: PartWeights,
  hint: number | number[] | undefined,
  channels: number[],
  rule: (channels: number) => number,
): number[] {
  if (hint === undefined) return channels.map(rule);
  const heads = typeof hint === 'number' ? channels.map(() => hint) : hint;
  if (heads.length !== channels.length || channels.some((width, i) => width % (heads[i] ?? 0) !== 0)) {
    throw new ImpastoError(
      'CONFIG_INVALID',
      `${part.source}: ${heads.join(', ')} attention heads do not fit blocks of ${channels.join(', ')} channels.`,
      'Correct the hint.',
    );
  }
  return heads;
}

/** Transformer blocks per attention, per down block; where a down block has none, its mirror or the middle tells. */
function transformerDepths(part: PartWeights, down: boolean[], up: boolean[], mid: boolean): number[] {
  const blocks = down.length;
  return down.map((hasDown, i) => {
    const mirror = blocks - 1 - i;
    const found = new Set<number>();
    if (hasDown) for (const depth of depthsUnder(part, `down_blocks.${i}`)) found.add(depth);
    if (up[mirror]) for (const depth of depthsUnder(part, `up_blocks.${mirror}`)) found.add(depth);
    if (mid && i === blocks - 1) found.add(countOf(part, 'mid_block.attentions.0.transformer_blocks.*'));
    if (found.size > 1) {
      throw unknown(
        part,
        `the attentions of block ${i} have ${[...found].join(' and ')} transformer blocks (SSD-1B and Vega are such)`,
      );
    }
    return found.values().next().value ?? 1;
  });
}

function depthsUnder(part: PartWeights, block: string): number[] {
  const count = countOf(part, `${block}.attentions.*`, maxLayers + 1);
  return Array.from({ length: count }, (_, j) => countOf(part, `${block}.attentions.${j}.transformer_blocks.*`));
}

function unknown(part: PartWeights, why: string): ImpastoError {
  return new ImpastoError(
    'UNKNOWN_ARCHITECTURE',
    `${part.source}: the UNet is of an architecture that Impasto does not know: ${why}.`,
    'Impasto draws with SD 1.x, SD 2.x and SDXL checkpoints.',
  );
}
