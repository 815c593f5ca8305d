import { basename } from 'node:path';
import { ImpastoError } from '../../contract/errors.ts';
import type { SafetensorsHeader } from '../weights/safetensors.ts';
import { unsupportedAlgorithm } from './adapter-keys.ts';

/** What a file without a layer that could be applied is instead, as the error to show. */
export function notAnAdapter(header: SafetensorsHeader, unsupported: string | undefined): ImpastoError {
  const name = basename(header.path);
  const refuse = (what: string, remedy: string): ImpastoError =>
    new ImpastoError('ADAPTER_INVALID', `${name} is ${what}.`, remedy);
  if (unsupported !== undefined) {
    return refuse(
      `an adapter of ${unsupportedAlgorithm(unsupported)}, which Impasto does not draw with`,
      'Use LoRA, LoCon, LoHa, LoKr, DoRA or a full delta.',
    );
  }
  const keys = [...header.tensors.keys()];
  const any = (pattern: RegExp): boolean => keys.some((key) => pattern.test(key));
  if (any(/^(?:model\.diffusion_model|first_stage_model|cond_stage_model|conditioner)\./)) {
    return refuse('a whole checkpoint, not an adapter', 'Choose it as the model.');
  }
  if (any(/(?:^|\.)(?:conv_in|time_embedding\.linear_1|encoder\.conv_in|token_embedding)\.weight$/)) {
    return refuse('a network of a model, not an adapter', 'Choose the model that it belongs to.');
  }
  if (keys.length <= 4 && any(/^(?:emb_params|clip_[lg]|string_to_param.*)$/)) {
    return refuse('a textual-inversion embedding, not an adapter', 'Add it as an embedding.');
  }
  return refuse(
    keys.length === 0 ? 'empty: it holds no tensor' : `no adapter: none of its ${keys.length} tensors is a LoRA's`,
    'Choose a LoRA, LoCon, LoHa, LoKr, DoRA or full-delta file for SD 1.x, SD 2.x or SDXL.',
  );
}
