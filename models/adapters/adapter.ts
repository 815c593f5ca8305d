import type { AdapterAlgorithm, CaptionTag, DistillationPreset, TrainingFacts } from '../../contract/adapter.ts';
import type { EngineWarning } from '../../contract/engine.ts';
import type { Family } from '../checkpoint/checkpoint.ts';
import type { GainSide } from '../passes/side-branch.ts';

/** In half precision where the file has them so: they are handed on as they lie. */
export type FactorValues = Float32Array | Float16Array;

/**
 * One adapted Linear or convolution of a network, whatever algorithm the file used: before strength,
 * delta W = scale * up . down, so y = W x + scale * up (down x).
 */
export interface AdapterLayer {
  /** diffusers module path in its network, e.g. `down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q`. */
  path: string;
  rank: number;
  /** [rank, in] for a Linear, [rank, in, k, k] for a convolution, flat. It may be a view into the file's bytes. */
  down: FactorValues;
  downShape: number[];
  /** [out, rank], flat. */
  up: FactorValues;
  out: number;
  /** alpha / rank, or alpha / sqrt(rank) for rank-stabilised LoRA; 1 where the factors hold it already. */
  scale: number;
  /**
   * `exact`: the factors' product is the delta (LoRA, LoCon, LoHa, DoRA of these). `svd`: a truncated SVD of the true delta
   * (LoKr, full), and the share of its squared Frobenius norm that was kept, 0 to 1.
   */
  origin: { kind: 'exact' } | { kind: 'svd'; energy: number };
  /** Of DoRA: what the base weight is changed by besides. */
  gain?: Gain;
}

/**
 * A rescaling of the base weight W by outputs [out] or inputs [in]: delta W = diag(values) W + scale * up . down, or
 * W diag(values) + scale * up . down.
 */
export interface Gain {
  side: GainSide;
  values: Float32Array;
}

/** An adapter opened for one checkpoint. */
export interface Adapter {
  path: string;
  name: string;
  /** The checkpoint's family, which this adapter fits. */
  family: Family;
  algorithm: AdapterAlgorithm;
  unet: AdapterLayer[];
  textEncoder: AdapterLayer[];
  textEncoder2: AdapterLayer[];
  triggers: string[];
  tags: CaptionTag[];
  /** What the trainer wrote. */
  metadata: TrainingFacts;
  distillation: DistillationPreset | null;
  /** Layers of the file that act, of how many: "412 of 420". */
  matched: { applied: number; of: number };
  /** Layers and tensors of the file that do not act, by key. Why is in the warnings. */
  unmatched: string[];
  warnings: EngineWarning[];
}

/** The factors of one delta, before it is known whether its module is a Linear or a convolution. */
export interface Factors {
  rank: number;
  /** [rank, in * k * k]. */
  down: FactorValues;
  /** [out, rank]. */
  up: FactorValues;
  scale: number;
  origin: AdapterLayer['origin'];
  gain?: Gain;
}

/** The same values in single precision, which holds every half exactly. */
export const inSingle = (values: FactorValues): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values);
