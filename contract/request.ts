import { z } from 'zod';

/**
 * RenderRequest: one serialisable value that holds everything that makes a picture. The form, the CLI's flags, the
 * queue's rows and the metadata inside a picture all derive from it; the same request on the same provider draws the
 * same picture bit for bit.
 */

export const schedulerNames = [
  'ddim',
  'ddim-inverse',
  'pndm',
  'euler',
  'euler-a',
  'heun',
  'dpmpp-2m',
  'dpmpp-2m-sde',
  'unipc',
  'lcm',
  'tcd',
] as const;
export const SchedulerName = z.enum(schedulerNames);
export type SchedulerName = z.infer<typeof SchedulerName>;

/** How the steps are laid over the training timesteps (Lin et al. 2023, table 2). */
export const TimestepSpacing = z.enum(['leading', 'trailing', 'linspace']);
export type TimestepSpacing = z.infer<typeof TimestepSpacing>;

/** How noise levels are laid out: the model's own, or Karras (2022), exponential, SGM uniform. */
export const SigmaSchedule = z.enum(['default', 'karras', 'exponential', 'sgm-uniform']);
export type SigmaSchedule = z.infer<typeof SigmaSchedule>;

export const PredictionType = z.enum(['epsilon', 'v_prediction', 'sample']);
export type PredictionType = z.infer<typeof PredictionType>;

export const ProviderName = z.enum(['cpu', 'webgpu', 'dml', 'coreml', 'cuda']);
export type ProviderName = z.infer<typeof ProviderName>;

/** Everything about the sampler. An omitted field means "as the model's own scheduler config says". */
export const SchedulerSettings = z.strictObject({
  name: SchedulerName.default('ddim'),
  spacing: TimestepSpacing.optional(),
  sigmas: SigmaSchedule.optional(),
  /** Overrides what the file says or what could be inferred. */
  predictionType: PredictionType.optional(),
  /** Rescale the betas so that the last timestep holds no signal (Lin et al. 2023). */
  rescaleBetasZeroSnr: z.boolean().optional(),
  /** DDIM: 0 is deterministic, 1 is DDPM. TCD: the paper's gamma. */
  eta: z.number().min(0).max(1).optional(),
});
export type SchedulerSettings = z.infer<typeof SchedulerSettings>;

export const GuidanceSettings = z.strictObject({
  /** Classifier-free guidance scale; at 1 or below guidance is off and a step costs one UNet row. */
  scale: z.number().min(0).max(100).default(7.5),
  /** Guidance rescale phi of Lin et al. 2023, 0 = off. */
  rescale: z.number().min(0).max(1).default(0),
  /** Guide only while the fraction of steps done is within [start, end) (Kynkaanniemi et al. 2024). */
  interval: z
    .tuple([z.number().min(0).max(1), z.number().min(0).max(1)])
    .refine(([start, end]) => start < end, 'the guidance interval must end after it starts')
    .default([0, 1]),
});
export type GuidanceSettings = z.infer<typeof GuidanceSettings>;

/** A size in pixels: any multiple of 8. */
const pixels = z
  .number()
  .int()
  .min(8, 'a side needs at least 8 pixels')
  .max(16384, 'a side can have at most 16384 pixels')
  .refine((side) => side % 8 === 0, 'a side must be divisible by 8');

export const InitImage = z.strictObject({
  /** A picture file (PNG, JPEG, WebP, AVIF, TIFF). It is resized to the request's size. */
  path: z.string().min(1),
  /** Denoising strength: 0 leaves the picture, 1 draws it anew. */
  strength: z.number().min(0).max(1).default(0.75),
});

export const MaskImage = z.strictObject({
  /** A picture file; white is drawn anew, black is kept, grey mixes. */
  path: z.string().min(1),
  invert: z.boolean().default(false),
  /** Gaussian feather of the mask in picture pixels. */
  feather: z.number().min(0).max(512).default(0),
  /** Lay the drawn part over the untouched picture, so that nothing outside the mask changes by a bit. */
  composite: z.boolean().default(true),
});

/** Pixels added on each side of the init picture, drawn anew. Each a multiple of 8. */
export const Outpaint = z.strictObject({
  left: z.number().int().min(0).multipleOf(8).default(0),
  top: z.number().int().min(0).multipleOf(8).default(0),
  right: z.number().int().min(0).multipleOf(8).default(0),
  bottom: z.number().int().min(0).multipleOf(8).default(0),
});

/** A textual-inversion file, used wherever its token stands in a prompt. */
export const EmbeddingRef = z.strictObject({ token: z.string().min(1), path: z.string().min(1) });

export const VaeSettings = z.strictObject({
  /** A VAE of its own, instead of the checkpoint's: a .safetensors file or a diffusers folder. */
  path: z.string().min(1).optional(),
  /** Decode and encode in overlapping tiles: always, never, or where the whole would not fit (`auto`). */
  tiling: z.enum(['auto', 'on', 'off']).default('auto'),
});

/** SDXL's micro-conditioning [height, width]; omitted: the request's own size and no crop. */
export const SizeConditioning = z.strictObject({
  originalSize: z.tuple([z.number(), z.number()]).optional(),
  cropTopLeft: z.tuple([z.number(), z.number()]).optional(),
  targetSize: z.tuple([z.number(), z.number()]).optional(),
});

export const maxPromptLength = 20_000;
const promptText = z.string().max(maxPromptLength, `a prompt can have at most ${maxPromptLength} characters`);

export const RenderRequest = z.strictObject({
  version: z.literal(1).default(1),
  /** A checkpoint: a .safetensors file, a diffusers folder, an ONNX folder, or `demo` for the built-in model. */
  model: z.string().min(1).default('demo'),
  prompt: promptText.default(''),
  negativePrompt: promptText.default(''),
  /** Omitted: the size the model was trained for. */
  width: pixels.optional(),
  height: pixels.optional(),
  /** First seed; picture i of the batch uses seed + i. */
  seed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  /** How many pictures, with consecutive seeds. */
  batch: z.number().int().min(1).max(1024).default(1),
  steps: z.number().int().min(1).max(1000).default(20),
  scheduler: SchedulerSettings.prefault({}),
  guidance: GuidanceSettings.prefault({}),
  /** 1 uses the text encoder's last layer as the model was trained with, 2 the one before it, as A1111 counts. */
  clipSkip: z.number().int().min(1).max(12).default(1),
  /** Which generator draws the noise: torch's on the CPU, or Philox as torch draws it on CUDA. */
  noise: z.enum(['cpu', 'cuda']).default('cpu'),
  init: InitImage.optional(),
  mask: MaskImage.optional(),
  outpaint: Outpaint.optional(),
  embeddings: z.array(EmbeddingRef).default([]),
  vae: VaeSettings.prefault({}),
  sizeConditioning: SizeConditioning.prefault({}),
  /** `auto` picks the best provider there is and says why. */
  provider: z.union([z.literal('auto'), ProviderName]).default('auto'),
});
export type RenderRequest = z.infer<typeof RenderRequest>;
export type RenderRequestInput = z.input<typeof RenderRequest>;
