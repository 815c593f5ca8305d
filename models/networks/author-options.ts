import type { AttentionKind } from '../layers/attention.ts';
import type { ComputeType } from '../onnx/builder.ts';

/** How a provider wants its graphs written. */
export interface AuthorOptions {
  attention: AttentionKind;
  compute: ComputeType;
  /** The device has no half precision: a half-precision table of embeddings is cast before the lookup, not after. */
  noHalf?: boolean;
}
