import type { PredictionType } from '../../../contract/request.ts';
import { readTensor, type SafetensorsHeader } from '../../weights/safetensors.ts';
import type { WeightMap } from '../../weights/weight-map.ts';
import type { Checkpoint, Family } from '../checkpoint.ts';
import type { UNetConfig } from '../component-config.ts';

export interface PredictionFinding {
  predictionType: PredictionType;
  from: Checkpoint['predictionTypeFrom'];
  /** Zero-terminal-SNR betas are asked for. */
  zeroSnr: boolean;
  note: string | null;
}

/** Names under which files that predict v say so: an empty tensor beside the weights. */
const vMarker = 'v_pred';
const zeroSnrMarker = 'ztsnr';

const overridable = 'If pictures come out as noise or burnt, set the prediction type yourself.';

/**
 * What a single file's UNet predicts: the header's metadata, then marker tensors, then for SD2 one weight's spread,
 * then the family's default, which is said.
 * @param unet Its weights in diffusers names.
 */
export async function findPredictionType(
  family: Family,
  config: UNetConfig,
  unet: WeightMap,
  header: Pick<SafetensorsHeader, 'metadata' | 'tensors'>,
): Promise<PredictionFinding> {
  const { metadata, tensors: markers } = header;
  const zeroSnr = markers.has(zeroSnrMarker) || metadata.ss_zero_terminal_snr === 'True';
  const said = fromMetadata(metadata);
  if (said) return { predictionType: said, from: 'metadata', zeroSnr, note: null };
  if (markers.has(vMarker)) return { predictionType: 'v_prediction', from: 'tensors', zeroSnr, note: null };
  if (family !== 'sd2') return { predictionType: 'epsilon', from: 'family-default', zeroSnr, note: null };

  const spread = await stableDiffusion2Spread(config, unet);
  if (spread !== null) {
    const predictionType = spread > 0.09 ? 'v_prediction' : 'epsilon';
    const note = `That this SD 2 file predicts ${predictionType} is judged from the spread of one weight. ${overridable}`;
    return { predictionType, from: 'tensors', zeroSnr, note };
  }
  const note = `Whether this SD 2 file predicts epsilon or v cannot be told from it: epsilon is assumed. ${overridable}`;
  return { predictionType: 'epsilon', from: 'family-default', zeroSnr, note };
}

/** Stability's ModelSpec keys, then kohya's. */
function fromMetadata(metadata: Record<string, string>): PredictionType | null {
  switch (metadata['modelspec.prediction_type']?.toLowerCase()) {
    case 'epsilon':
    case 'eps':
      return 'epsilon';
    case 'v':
    case 'v_prediction':
    case 'v-prediction':
    case 'velocity':
      return 'v_prediction';
    case 'sample':
      return 'sample';
  }
  if (metadata.ss_v_parameterization === 'True') return 'v_prediction';
  if (metadata.ss_v_parameterization === 'False') return 'epsilon';
  switch (metadata['modelspec.architecture']) {
    case 'stable-diffusion-v2-768-v':
      return 'v_prediction';
    case 'stable-diffusion-v2-512':
      return 'epsilon';
  }
  return null;
}

/**
 * Stability's SD 2 weights that predict v have a wider spread (above 0.09) in the bias of the last transformer's first
 * norm than those that predict epsilon; other tools tell them apart by it. The bound was found on those weights, so it
 * is asked of models of their size only, and never of inpaint ones, which all predict epsilon.
 */
async function stableDiffusion2Spread(config: UNetConfig, unet: WeightMap): Promise<number | null> {
  const isStabilitys = config.crossAttentionDim === 1024 && config.blockOutChannels.join() === '320,640,1280,1280';
  const ref = unet.get('up_blocks.3.attentions.2.transformer_blocks.0.norm1.bias');
  if (!isStabilitys || config.inChannels !== 4 || !ref) return null;
  const values = await readTensor(ref);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
