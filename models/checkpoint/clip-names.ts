import { ImpastoError } from '../../contract/errors.ts';
import type { WeightMap, WeightRef } from '../weights/weight-map.ts';

/**
 * Text encoders in the layouts that files have, in transformers' CLIPTextModel names.
 */

/**
 * transformers' own layout. From 5.6 on CLIPTextModel saves without the `text_model.` prefix; CLIP's `position_ids`
 * buffer is no weight.
 */
export function transformersText(tensors: WeightMap): Map<string, WeightRef> {
  const named = new Map<string, WeightRef>();
  for (const [name, ref] of tensors) {
    if (name.endsWith('.position_ids')) continue;
    const bare = /^(?:embeddings|encoder|final_layer_norm)\./.test(name);
    named.set(bare ? `text_model.${name}` : name, ref);
  }
  return named;
}

/** OpenCLIP module within a layer -> transformers'. */
const layerModules = new Map([
  ['ln_1', 'layer_norm1'],
  ['ln_2', 'layer_norm2'],
  ['attn.out_proj', 'self_attn.out_proj'],
  ['mlp.c_fc', 'mlp.fc1'],
  ['mlp.c_proj', 'mlp.fc2'],
]);

/**
 * OpenCLIP's layout. Its fused `in_proj` holds the rows of q, k and v one after the other, so each is a byte range.
 * @param tensors Names without the `cond_stage_model.model.` prefix.
 * @throws ImpastoError `TENSOR_SHAPE` where the fused rows do not split in three.
 */
export function openClipText(tensors: WeightMap): Map<string, WeightRef> {
  const weights = new Map<string, WeightRef>();
  for (const [name, ref] of tensors) {
    if (name === 'token_embedding.weight') weights.set('text_model.embeddings.token_embedding.weight', ref);
    else if (name === 'positional_embedding') weights.set('text_model.embeddings.position_embedding.weight', ref);
    else if (name.startsWith('ln_final.')) weights.set(name.replace('ln_final', 'text_model.final_layer_norm'), ref);
    else if (name === 'text_projection') weights.set('text_projection.weight', transposed(ref, name));
    else if (name === 'text_projection.weight') weights.set(name, ref);
    else addLayerTensor(name, ref, weights);
  }
  return weights;
}

function addLayerTensor(name: string, ref: WeightRef, weights: Map<string, WeightRef>): void {
  const match = /^transformer\.resblocks\.(\d+)\.([\w.]+?)[._](weight|bias)$/.exec(name);
  if (!match) return;
  const [, index, module = '', kind] = match;
  const layer = `text_model.encoder.layers.${index}`;
  if (module === 'attn.in_proj') {
    for (const [third, projection] of ['q_proj', 'k_proj', 'v_proj'].entries()) {
      weights.set(`${layer}.self_attn.${projection}.${kind}`, thirdOf(ref, third, name));
    }
    return;
  }
  const renamed = layerModules.get(module);
  if (renamed) weights.set(`${layer}.${renamed}.${kind}`, ref);
}

function thirdOf(ref: WeightRef, third: number, name: string): WeightRef {
  const [rows = 0, ...rest] = ref.shape;
  if (rows === 0 || rows % 3 !== 0) {
    throw new ImpastoError(
      'TENSOR_SHAPE',
      `${ref.file}: '${name}' has ${rows} rows, which do not split into q, k and v.`,
      'The file is damaged or of an unknown layout.',
    );
  }
  const length = ref.length / 3;
  return { ...ref, shape: [rows / 3, ...rest], offset: ref.offset + third * length, length };
}

function transposed(ref: WeightRef, name: string): WeightRef {
  const [input, out] = ref.shape;
  if (ref.shape.length !== 2 || input === undefined || out === undefined) {
    throw new ImpastoError(
      'TENSOR_SHAPE',
      `${ref.file}: '${name}' has ${ref.shape.length} sides, not 2.`,
      'The file is damaged or of an unknown layout.',
    );
  }
  return { ...ref, shape: [out, input], transposed: true };
}

/** A transformers name as OpenCLIP has it, to name a missing tensor as the artist's file does. */
export function openClipName(name: string): string {
  const projection = /^text_model\.encoder\.layers\.(\d+)\.self_attn\.[qkv]_proj\.(weight|bias)$/.exec(name);
  if (projection) return `transformer.resblocks.${projection[1]}.attn.in_proj_${projection[2]}`;
  const layer = /^text_model\.encoder\.layers\.(\d+)\.([\w.]+)\.(weight|bias)$/.exec(name);
  if (layer) {
    const module = [...layerModules].find(([, renamed]) => renamed === layer[2])?.[0] ?? layer[2];
    return `transformer.resblocks.${layer[1]}.${module}.${layer[3]}`;
  }
  return name
    .replace('text_model.embeddings.token_embedding', 'token_embedding')
    .replace('text_model.embeddings.position_embedding.weight', 'positional_embedding')
    .replace('text_model.final_layer_norm', 'ln_final')
    .replace('text_projection.weight', 'text_projection');
}
