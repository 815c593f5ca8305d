import { ImpastoError } from '../../../contract/errors.ts';

/** What a single file holds, told by its tensors' names. */

interface Kind {
  pattern: RegExp;
  is: string;
  code: 'IS_ADAPTER' | 'NOT_A_CHECKPOINT' | 'UNKNOWN_ARCHITECTURE';
  remedy: string;
}

const supported = 'Impasto draws with SD 1.x, SD 2.x and SDXL checkpoints.';

/** In the order in which they are asked: adapters carry base-model names within their own. */
const kinds: Kind[] = [
  {
    pattern:
      /\.lora_(?:up|down|mid|A|B)\.|\.lora\.(?:up|down)\.|_lora\.(?:up|down)\.|\.hada_w[12]|\.lokr_w[12]|\.oft_blocks|\.dora_scale$|^lora_(?:unet|te)/,
    is: 'a LoRA',
    code: 'IS_ADAPTER',
    remedy: 'It is laid over a checkpoint, not drawn with alone: name a checkpoint, and this file as its adapter.',
  },
  {
    pattern: /^(?:emb_params|string_to_param|clip_[lg])(?:$|\.\*?$)/,
    is: 'a textual inversion',
    code: 'IS_ADAPTER',
    remedy: 'Name a checkpoint, and this file as one of its embeddings.',
  },
  {
    pattern: /^(?:control_model\.|controlnet_|zero_convs\.|input_hint_block\.)/,
    is: 'a ControlNet',
    code: 'NOT_A_CHECKPOINT',
    remedy: 'It steers a checkpoint and does not draw alone: name a checkpoint.',
  },
  {
    pattern: /^(?:ip_adapter|image_proj)\./,
    is: 'an IP-Adapter',
    code: 'IS_ADAPTER',
    remedy: 'It steers a checkpoint and does not draw alone: name a checkpoint.',
  },
  {
    pattern: /motion_modules\./,
    is: 'an AnimateDiff motion module',
    code: 'NOT_A_CHECKPOINT',
    remedy: supported,
  },
  {
    pattern: /(?:^|\.)(?:double_blocks|single_blocks)\.\d/,
    is: 'a Flux checkpoint',
    code: 'UNKNOWN_ARCHITECTURE',
    remedy: supported,
  },
  {
    pattern: /(?:^|\.)joint_blocks\.\d/,
    is: 'a Stable Diffusion 3 checkpoint',
    code: 'UNKNOWN_ARCHITECTURE',
    remedy: supported,
  },
  {
    pattern: /^edm_(?:mean|std|vpred)/,
    is: 'a checkpoint trained with EDM noise (as Playground 2.5)',
    code: 'UNKNOWN_ARCHITECTURE',
    remedy: supported,
  },
];

const vaePattern =
  /^(?:first_stage_model\.|vae\.)?(?:en|de)coder\.(?:conv_in|mid|mid_block|up|down|up_blocks|down_blocks)\./;
const textPattern = /^(?:text_model\.|(?:cond_stage_model|conditioner)\.|transformer\.resblocks\.|text_encoders?\.)/;
const unetPattern = /^(?:input_blocks|output_blocks|middle_block|down_blocks|up_blocks|mid_block)\./;

/**
 * Refuses a file that holds no UNet under a checkpoint's names, and says what it holds instead.
 * @throws ImpastoError `IS_ADAPTER`, `NOT_A_CHECKPOINT` or `UNKNOWN_ARCHITECTURE`.
 */
export function refuseOtherKinds(names: readonly string[], file: string): void {
  for (const { pattern, is, code, remedy } of kinds) {
    if (names.some((name) => pattern.test(name))) throw new ImpastoError(code, `${file} is ${is}.`, remedy);
  }
  if (names.some((name) => name.startsWith('model.diffusion_model.'))) return;
  const refuse = (what: string, remedy: string): never => {
    throw new ImpastoError('NOT_A_CHECKPOINT', `${file} ${what}.`, remedy);
  };
  if (names.length === 0) refuse('holds no tensors', 'Choose a checkpoint.');
  if (names.some((name) => unetPattern.test(name))) {
    refuse(
      'holds a UNet alone, without text encoder and VAE',
      'Name the full checkpoint, or the diffusers folder it came from.',
    );
  }
  if (names.some((name) => vaePattern.test(name))) {
    refuse('is a VAE', "Name a checkpoint as the model, and this file as the request's VAE.");
  }
  if (names.some((name) => textPattern.test(name))) refuse('is a text encoder', 'Name a full checkpoint.');
  const example = names[0]?.slice(0, 120) ?? '';
  refuse(`holds no Stable Diffusion checkpoint (its first tensor is '${example}')`, supported);
}
