import { ImpastoError } from '../../../contract/errors.ts';
import type { TextEncoderConfig } from '../component-config.ts';
import { countOf, type PartWeights, shapeOf, sideOf } from '../part-weights.ts';
import { headsOf64 } from './head-rules.ts';

/** Entries of CLIP's vocabulary, the same for every Stable Diffusion text encoder; the last two begin and end a text. */
export const clipVocabularySize = 49408;

/**
 * A text encoder's config from its tensors, in transformers names.
 *
 * Heads are of 64 channels unless hinted (CLIP-L 12, OpenCLIP-H 16, bigG 20). OpenAI's CLIP has quick GELU, OpenCLIP the
 * exact one. A vocabulary smaller than CLIP's is taken as CLIP's cut after its first merges, its last two entries begin
 * and end of text; a larger one as CLIP's with tokens added behind.
 * @throws ImpastoError `TENSOR_MISSING`, `TENSOR_SHAPE` or `CONFIG_INVALID`.
 */
export function inferTextEncoderConfig(
  part: PartWeights,
  kind: 'openai' | 'openclip',
  hints: { heads?: number | undefined } = {},
): TextEncoderConfig {
  const [vocabSize = 0, hiddenSize = 0] = shapeOf(part, 'text_model.embeddings.token_embedding.weight', 2);
  const heads = hints.heads ?? headsOf64(hiddenSize);
  if (hiddenSize % heads !== 0) {
    throw new ImpastoError(
      'CONFIG_INVALID',
      `${part.source}: ${heads} heads do not divide the ${part.part}'s ${hiddenSize} channels.`,
      'Correct the hint.',
    );
  }
  const clipSize = Math.min(vocabSize, clipVocabularySize);
  return {
    vocabSize,
    hiddenSize,
    intermediateSize: sideOf(part, 'text_model.encoder.layers.0.mlp.fc1.weight', 2, 0),
    layers: countOf(part, 'text_model.encoder.layers.*'),
    heads,
    maxPositions: sideOf(part, 'text_model.embeddings.position_embedding.weight', 2, 0),
    activation: kind === 'openai' ? 'quick_gelu' : 'gelu',
    layerNormEps: 1e-5,
    projectionDim: part.weights.has('text_projection.weight') ? sideOf(part, 'text_projection.weight', 2, 0) : null,
    eosTokenId: clipSize - 1,
    bosTokenId: clipSize - 2,
    padTokenId: kind === 'openai' ? clipSize - 1 : 0,
  };
}
