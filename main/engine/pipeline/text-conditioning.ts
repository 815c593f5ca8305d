import type { EngineWarning } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import { extractExtraNetworks } from '../../../contract/prompt/extra-networks.ts';
import { resolveSchedules } from '../../../contract/prompt/schedule.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import type { Conditioning } from '../model/conditioning.ts';
import type { LoadedModel } from '../model/loaded-model.ts';
import type { EncodedChunk, TextAdaptation, TextNetwork } from '../model/text-network.ts';
import { type ChunkPlan, padChunks, planChunks } from '../text/chunks.ts';
import type { TextualInversion } from '../text/textual-inversion.ts';

/** A textual inversion and the word of the prompt that it stands for. */
export interface NamedEmbedding {
  token: string;
  inversion: TextualInversion;
}

/** A prompt's conditioning over the steps: entry i holds from `fromStep` until the next entry. */
export type ConditioningSchedule = readonly { fromStep: number; conditioning: Conditioning }[];

export interface PromptConditioning {
  positive: ConditioningSchedule;
  /** Null where no step is guided. */
  negative: ConditioningSchedule | null;
}

interface Variant {
  fromStep: number;
  text: string;
  /** A plan for each text encoder. */
  plans: ChunkPlan[];
}

/**
 * Encodes the prompts of a request, once for each text that its schedules give.
 * Prompts are cut into as many chunks as the longest needs; the shorter are padded by empty ones, so that their rows
 * can share a call.
 * @param adapted for each text encoder what its adapters ask, null for none
 * @param leastChunks pads all prompts to at least so many chunks
 * @throws ImpastoError `REQUEST_INVALID` where a prompt still names an adapter by a tag
 */
export async function encodePrompts(
  model: LoadedModel,
  request: RenderRequest,
  embeddings: readonly NamedEmbedding[],
  needsNegative: boolean,
  warn: (warning: EngineWarning) => void,
  adapted: readonly (TextAdaptation | null)[] = [],
  leastChunks = 1,
): Promise<PromptConditioning> {
  const variants = (text: string): Variant[] => {
    const { text: plain, loras, warnings } = extractExtraNetworks(text);
    for (const { code, message } of warnings) warn({ code, message });
    const [tag] = loras;
    if (tag) {
      throw new ImpastoError(
        'REQUEST_INVALID',
        `The prompt names <lora:${tag.name}>, and no folder of LoRAs was given to find it in.`,
        'Give the folder (--lora-folder DIR) or the file itself (--lora FILE), or take the tag out.',
      );
    }
    return resolveSchedules(plain, request.steps).map(({ fromStep, text: at }) => ({
      fromStep,
      text: at,
      plans: model.text.map((encoder) => planOf(at, encoder, embeddings)),
    }));
  };
  const positive = variants(request.prompt);
  const negative = needsNegative ? variants(request.negativePrompt) : [];
  const chunks = Math.max(
    leastChunks,
    ...[...positive, ...negative].flatMap(({ plans }) => plans.map((plan) => plan.chunks.length)),
  );

  const encode = async (variant: Variant, clipSkip: number): Promise<Conditioning> => {
    const encoded = await Promise.all(
      variant.plans.map((plan, index) =>
        encodePlan(model, index, padChunks(plan, chunks), embeddings, clipSkip, warn, adapted[index] ?? null),
      ),
    );
    return conditioningOf(encoded, model, request);
  };
  const schedule = async (list: Variant[], clipSkip: number) => {
    const entries: { fromStep: number; conditioning: Conditioning }[] = [];
    for (const variant of list)
      entries.push({ fromStep: variant.fromStep, conditioning: await encode(variant, clipSkip) });
    return entries;
  };
  const encodedPositive = await schedule(positive, request.clipSkip);
  if (!needsNegative) return { positive: encodedPositive, negative: null };
  // As diffusers has it, clip skip is the prompt's alone.
  const encodedNegative =
    model.checkpoint.zeroEmptyNegative && request.negativePrompt === ''
      ? [{ fromStep: 0, conditioning: zeroed((encodedPositive[0] as { conditioning: Conditioning }).conditioning) }]
      : await schedule(negative, 1);
  return { positive: encodedPositive, negative: encodedNegative };
}

/** Chunks that the longest of some prompts takes. */
export function chunkCount(
  model: LoadedModel,
  prompts: readonly string[],
  steps: number,
  embeddings: readonly NamedEmbedding[],
): number {
  const counts = prompts.flatMap((prompt) =>
    resolveSchedules(extractExtraNetworks(prompt).text, steps).flatMap(({ text }) =>
      model.text.map((encoder) => planOf(text, encoder, embeddings).chunks.length),
    ),
  );
  return Math.max(1, ...counts);
}

/** A text laid out in chunks as one encoder reads it. */
export function planOf(text: string, encoder: TextNetwork, embeddings: readonly NamedEmbedding[]): ChunkPlan {
  return planChunks(text, encoder.tokenizer, {
    maxLength: encoder.config.maxPositions,
    padTokenId: encoder.padTokenId,
    embeddings: embeddings.map(({ token, inversion }) => ({ token, vectors: inversion.vectors })),
  });
}

/** The conditioning at a step of a schedule. */
export function conditioningAt(schedule: ConditioningSchedule, step: number): Conditioning {
  let current = schedule[0];
  for (const entry of schedule) if (entry.fromStep <= step) current = entry;
  if (!current) throw new Error('an empty conditioning schedule');
  return current.conditioning;
}

async function encodePlan(
  model: LoadedModel,
  index: number,
  plan: ChunkPlan,
  embeddings: readonly NamedEmbedding[],
  clipSkip: number,
  warn: (warning: EngineWarning) => void,
  adapted: TextAdaptation | null,
): Promise<EncodedChunk> {
  const encoder = model.text[index];
  if (!encoder) throw new Error(`no text encoder ${index}`);
  const vectors = new Map(
    embeddings.flatMap(({ token, inversion }) => {
      const table = inversion.tables[index];
      return table ? [[token, table.values] as const] : [];
    }),
  );
  const options = { hiddenStateFromEnd: model.checkpoint.hiddenStateFromEnd + clipSkip - 1, warn };
  for (const warning of plan.warnings) warn(warning);
  const encoded: EncodedChunk[] = [];
  for (const chunk of plan.chunks) encoded.push(await encoder.encode(chunk, vectors, options, adapted));
  const first = encoded[0] as EncodedChunk;
  const hidden = new Float32Array(encoded.reduce((sum, chunk) => sum + chunk.hidden.length, 0));
  let offset = 0;
  for (const chunk of encoded) {
    hidden.set(chunk.hidden, offset);
    offset += chunk.hidden.length;
  }
  return { hidden, tokens: first.tokens * encoded.length, width: first.width, pooled: first.pooled };
}

/** The encoders' states side by side along the width; SDXL's pooled embedding is its second encoder's. */
function conditioningOf(encoded: readonly EncodedChunk[], model: LoadedModel, request: RenderRequest): Conditioning {
  const first = encoded[0] as EncodedChunk;
  const last = encoded[encoded.length - 1] as EncodedChunk;
  const width = encoded.reduce((sum, part) => sum + part.width, 0);
  let hidden = first.hidden;
  if (encoded.length > 1) {
    hidden = new Float32Array(first.tokens * width);
    for (let token = 0; token < first.tokens; token++) {
      let offset = token * width;
      for (const part of encoded) {
        hidden.set(part.hidden.subarray(token * part.width, (token + 1) * part.width), offset);
        offset += part.width;
      }
    }
  }
  const conditioning: Conditioning = { hidden, tokens: first.tokens, width };
  if (model.checkpoint.unet.config.addition && last.pooled) {
    conditioning.pooled = last.pooled;
    conditioning.timeIds = sizeConditioning(request);
  }
  return conditioning;
}

/** SDXL's micro-conditioning: original size, crop and target size, each (height, width) or (top, left). */
function sizeConditioning(request: RenderRequest): Float32Array {
  const size: [number, number] = [request.height ?? 0, request.width ?? 0];
  const { originalSize = size, cropTopLeft = [0, 0], targetSize = size } = request.sizeConditioning;
  return Float32Array.of(...originalSize, ...cropTopLeft, ...targetSize);
}

/** SDXL was trained to take an absent prompt as zeros. */
function zeroed(conditioning: Conditioning): Conditioning {
  return {
    ...conditioning,
    hidden: new Float32Array(conditioning.hidden.length),
    ...(conditioning.pooled ? { pooled: new Float32Array(conditioning.pooled.length) } : {}),
  };
}
