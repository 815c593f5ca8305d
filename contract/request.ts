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

/**
 * Arithmetic of the text encoders and the UNet: `fp16` holds their weights and does their products in half precision, on
 * graphics cards that have it; the VAE stays in fp32. `auto` is fp32.
 */
export const Precision = z.enum(['auto', 'fp32', 'fp16']);
export type Precision = z.infer<typeof Precision>;

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

export const maxPromptLength = 20_000;
const promptText = z.string().max(maxPromptLength, `a prompt can have at most ${maxPromptLength} characters`);

/** A textual-inversion file, used wherever its token stands in a prompt. */
export const EmbeddingRef = z.strictObject({ token: z.string().min(1), path: z.string().min(1) });

/** A share of the steps, 0 the first and 1 after the last. */
const share = z.number().min(0).max(1);
const adapterStrength = z.number().min(-10).max(10);
const label = z.string().trim().min(1).max(200);

/** A LoRA or another adapter file: how strongly, when and where it acts. */
export const AdapterRef = z.strictObject({
  /** A .safetensors file. */
  path: z.string().min(1),
  /** A name to call it by; omitted: the file's own. No two adapters may be given one name. */
  name: label.optional(),
  /** Strength on the UNet. Negative takes away what the adapter would add. */
  strength: adapterStrength.default(1),
  /** Strength on the text encoders; omitted: as on the UNet. */
  textStrength: adapterStrength.optional(),
  /** The adapter acts while the share of steps done is within [start, end). */
  steps: z
    .tuple([share, share])
    .refine(([start, end]) => start < end, "an adapter's step range must end after it starts")
    .default([0, 1]),
  /** Factors on the UNet strength at shares of the steps, linear between them and constant beyond. */
  curve: z
    .array(z.tuple([share, z.number().min(-10).max(10)]))
    .min(1, 'a curve needs at least one point')
    .max(64)
    .refine((points) => points.every(([at], index) => index === 0 || at > (points[index - 1]?.[0] ?? 0)), {
      message: "a curve's points must be in order, each at its own share of the steps",
    })
    .optional(),
  /** The region that it acts in; omitted: all of the picture. */
  region: label.optional(),
  /** The concept that it draws (CLoRA); omitted: it acts on every concept, as a style does. */
  concept: label.optional(),
  /** Words that call it up, added to the prompt that it acts on where they do not stand there yet. */
  trigger: z.string().max(1000).optional(),
});
export type AdapterRef = z.infer<typeof AdapterRef>;

export const compositionModes = ['forward', 'exact'] as const;

export const compositionMethods = ['sum', 'switch', 'composite', 'regional', 'clora', 'lora-composer'] as const;

/**
 * How several adapters draw one picture. `sum`: all at once. `switch`: one after the other. `composite`: each draws every
 * step and the predictions are averaged (Zhong et al. 2024). `regional`: each region has its own prompt and adapters.
 * `clora`: each concept's adapters draw every step, and count where the picture looks at the concept's words. `lora-composer`:
 * each region's adapters act in cross-attention inside the region alone, and regions do not look at each other.
 */
export const Composition = z.strictObject({
  method: z.enum(compositionMethods).default('sum'),
  /** Steps that each adapter has to itself in `switch`. */
  switchEvery: z.number().int().min(1).max(1000).default(5),
  /** Keeps regions from looking at each other in self-attention: 0 not at all, 1 wholly. The background is free. */
  isolation: z.number().min(0).max(1).default(0),
  /**
   * `rows`: the UNet draws each region's prompt over the whole picture and the predictions are joined by the masks.
   * `bias`: one row, in which each place attends to its own region's prompt.
   */
  regionalBy: z.enum(['rows', 'bias']).default('rows'),
  /**
   * Of `regional` by rows: share of the steps, from the first, in which each region is drawn as the middle of a picture, moved there
   * sideways. Models put what they are asked for in the middle, where the edge of a region at the side would cut it. Not with
   * isolation, nor from an initial picture, which has its things in their places. (Ours.)
   */
  centreUntil: share.default(0.75),
  /** Share of the main prompt within every region. */
  base: z.number().min(0).max(1).default(0),
  /**
   * Of `clora` and `lora-composer`. `forward`: no gradient; CLoRA as its authors' code runs without latent updates, LoRA-Composer
   * with a bias on attention in place of its updates. `exact`: the latent is moved down the gradient of the method's loss.
   */
  mode: z.enum(compositionModes).default('forward'),
  /** Exact: how many of the first steps move the latent; omitted: as the papers' code has it, 30 (CLoRA) or 25. */
  updateSteps: z.number().int().min(0).max(1000).optional(),
  /** CLoRA, exact: by how many further moves the latent is moved at steps 0, 10 and 20. */
  innerUpdates: z.number().int().min(0).max(100).default(20),
  /** Level of the picture whose attention maps are read, 0 the latent's own size; omitted: the one of H/32 x W/32. */
  mapLevel: z.number().int().min(0).max(7).optional(),
  /**
   * CLoRA: whose a place is. `threshold`: a concept's, or several's, where its map is high enough, else the plain model's, as published.
   * `highest`: always one concept's, whose words are looked at most there, of each concept's own highest: the plain model draws no
   * stand-ins where masks do not reach, and no two concepts are averaged. (Ours, after FreeFuse's masks.)
   */
  masks: z.enum(['threshold', 'highest']).default('threshold'),
  /** CLoRA, masks by threshold: a place is a concept's where its map is above this share of its highest value. */
  threshold: z.number().min(0).max(1).default(0.3),
  /**
   * CLoRA: which of a concept's words' tokens tell where it is. `all`: a place counts where any of them shows. `last`: the last, which
   * alone has read the others, for a text encoder reads from left to right: of a word that the tokenizer cuts up (vol|bot) the first
   * pieces may show no place, and would claim every one.
   */
  conceptTokens: z.enum(['all', 'last']).default('all'),
  /** CLoRA, masks by threshold: closes holes of the masks and rounds them (3x3 morphology). */
  closeMasks: z.boolean().default(false),
  /** CLoRA: noises that are tried at the first step; the one whose maps keep the concepts apart best is drawn from. */
  screen: z.number().int().min(1).max(256).default(1),
  /**
   * LoRA-Composer: on which layers a region's adapters act. `cross-attention`: on the keys, values and output of its own cross-attention
   * alone, as published. `all`: on every layer that they learned, within the region: most adapters learned on more, and are not themselves
   * without it. (Ours.)
   */
  adapterLayers: z.enum(['all', 'cross-attention']).default('all'),
  /** LoRA-Composer: starts each region from the noise that its concept is looked for in. */
  reinit: z.boolean().default(true),
  /** LoRA-Composer, forward: logits by which a region's words are looked at inside it and not outside; 0: not at all. */
  bias: z.number().min(0).max(20).default(2),
  /** LoRA-Composer, forward: share of the steps in which the bias acts. */
  biasUntil: share.default(0.5),
});
export type Composition = z.infer<typeof Composition>;

/** One of the things in a picture that CLoRA keeps apart, each drawn by its own adapters. */
export const Concept = z.strictObject({
  name: label,
  /** Words of the main prompt that stand for it, e.g. `cat`. */
  words: z.string().trim().min(1, 'a concept needs words').max(1000),
  /** What its own adapters read in their place, e.g. `sks cat`; omitted: the same words. */
  as: z.string().trim().min(1).max(1000).optional(),
});
export type Concept = z.infer<typeof Concept>;

/**
 * The style of adapters, in parts of a content picture (DiffStyler): the regions are the parts, each with the adapters that
 * name it and its prompt; later regions lie over earlier ones. Drawn by DDIM from the content's inversion; `publishedStyle` is
 * how its authors draw.
 */
export const Style = z.strictObject({
  /** A picture file, kept outside the regions. */
  content: z.string().min(1),
  /** Steps of the content's inversion; it is saved and used again. */
  inversionSteps: z.number().int().min(1).max(999).default(50),
  /** Share of the steps in which a region's own prediction takes the content's features. */
  features: share.default(0.1),
  /** Share of the steps in which it takes the content's queries and keys of self-attention. */
  attention: share.default(0.3),
  /**
   * How far a region's noise, to which the content was followed back, loses the content's colours (its mean and deviation), so that a
   * style can have its own; 0: as published. (AdaIN of the initial latent, as in StyleID.)
   */
  recolour: share.default(1),
  /**
   * The adapters of a region draw the whole picture on a latent of their own, of which the region shows its part: what lies around it
   * does not hold the style back. Off: all on one latent, as published. (Ours.)
   */
  whole: z.boolean().default(true),
  /**
   * Outside the regions the latent follows the content's own inversion, back to the content itself. Off: the bare model draws it
   * again without a prompt, as published, which comes near the content where its inversion is true.
   */
  pin: z.boolean().default(true),
  /** Lay the drawn regions over the untouched content, so that nothing outside them changes by a bit. */
  composite: z.boolean().default(true),
});
export type Style = z.infer<typeof Style>;

/** How DiffStyler draws in its authors' code. */
export const publishedStyle = {
  features: 0.6,
  attention: 0.5,
  recolour: 0,
  whole: false,
  pin: false,
} as const satisfies Partial<Style>;

/**
 * Another picture's colours for the one that is drawn, by mean and deviation. With a Turbo model, an init picture and as many steps as
 * its strength leaves one of (`steps-drawn.ts`) this is Impasto's own one-step restyle; it reproduces no paper.
 */
export const MatchColours = z.strictObject({
  /** A picture file. */
  path: z.string().min(1),
  /** 0 leaves the picture, 1 matches wholly. */
  amount: share.default(1),
});

/** A part of the picture with a prompt and adapters of its own. Where regions overlap they share by weight. */
export const Region = z
  .strictObject({
    name: label,
    /** [x, y, width, height] in pixels of the picture; what lies beyond its edge is cut off. */
    box: z
      .tuple([z.number(), z.number(), z.number(), z.number()])
      .refine(([, , width, height]) => width > 0 && height > 0, 'a box needs a width and a height')
      .optional(),
    /** A picture file of the picture's proportions: white is inside, grey partly. */
    mask: z.string().min(1).optional(),
    invert: z.boolean().default(false),
    /** Gaussian feather of its edge in picture pixels. */
    feather: z.number().min(0).max(512).default(0),
    /** Against other regions where they overlap. */
    weight: z.number().positive().max(100).default(1),
    /** Empty: the main prompt. */
    prompt: promptText.default(''),
    /** Omitted: the main negative prompt. */
    negativePrompt: promptText.optional(),
    /** Words of its prompt that name what is in it (LoRA-Composer); omitted: all of them. */
    words: z.string().trim().min(1).max(1000).optional(),
  })
  .refine(({ box, mask }) => (box === undefined) !== (mask === undefined), 'a region needs a box or a mask, not both');
export type Region = z.infer<typeof Region>;

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

/** The fields of a request, each by itself: what they must be for each other is checked by {@link RenderRequest}. */
export const RequestFields = z.strictObject({
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
  adapters: z.array(AdapterRef).max(64).default([]),
  composition: Composition.prefault({}),
  regions: z.array(Region).max(16).default([]),
  concepts: z.array(Concept).max(16).default([]),
  style: Style.optional(),
  matchColours: MatchColours.optional(),
  vae: VaeSettings.prefault({}),
  sizeConditioning: SizeConditioning.prefault({}),
  /** `auto` picks the best provider there is and says why. */
  provider: z.union([z.literal('auto'), ProviderName]).default('auto'),
  precision: Precision.default('auto'),
});

export const RenderRequest = RequestFields.superRefine((request, context) => {
  const { adapters, regions, concepts, composition, style } = request;
  const issue = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
  const namesOf = (field: string, word: string, list: readonly { name?: string | undefined }[]) => {
    const names = new Set<string>();
    for (const [index, { name }] of list.entries()) {
      if (name === undefined) continue;
      if (names.has(name)) issue([field, index, 'name'], `two ${word} are named "${name}"`);
      names.add(name);
    }
    return names;
  };
  const regionNames = namesOf('regions', 'regions', regions);
  const conceptNames = namesOf('concepts', 'concepts', concepts);
  namesOf('adapters', 'adapters', adapters);
  for (const [index, { region, concept }] of adapters.entries()) {
    if (region !== undefined && !regionNames.has(region)) {
      issue(['adapters', index, 'region'], `there is no region "${region}"`);
    }
    if (concept !== undefined && !conceptNames.has(concept)) {
      issue(['adapters', index, 'concept'], `there is no concept "${concept}"`);
    }
  }
  const { method } = composition;
  if ((method === 'regional' || method === 'lora-composer') && regions.length === 0) {
    issue(['regions'], `the method ${method} needs at least one region`);
  }
  if (method === 'clora' && concepts.length < 2) {
    issue(['concepts'], 'CLoRA keeps concepts apart, and needs at least two');
  }
  if (method === 'clora' && concepts.length > 1 && adapters.every(({ concept }) => concept === undefined)) {
    issue(['adapters'], 'CLoRA needs at least one adapter that names its concept');
  }
  if (!style) return;
  if (regions.length === 0) issue(['regions'], 'a style needs at least one region to act in');
  if (method !== 'sum')
    issue(['composition', 'method'], `a style is not drawn with the method ${method}: leave it out`);
  for (const field of ['init', 'mask', 'outpaint'] as const) {
    if (request[field]) issue([field], `a style has its own picture, and takes no ${field}`);
  }
  if (request.scheduler.name !== 'ddim') {
    issue(
      ['scheduler', 'name'],
      `a style is drawn by ddim, which retraces the content, and not by ${request.scheduler.name}`,
    );
  }
});
export type RenderRequest = z.infer<typeof RenderRequest>;
export type RenderRequestInput = z.input<typeof RenderRequest>;
