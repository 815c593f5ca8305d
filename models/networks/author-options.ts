import type { AttentionKind } from '../layers/attention.ts';
import type { ComputeType } from '../onnx/builder.ts';

/** How a provider wants its graphs written. */
export interface AuthorOptions {
  attention: AttentionKind;
  compute: ComputeType;
}
