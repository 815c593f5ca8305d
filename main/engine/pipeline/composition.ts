import type { EngineWarning } from '../../../contract/engine.ts';
import { adapterReaches } from '../../../models/passes/adaptable-modules.ts';
import type { SegmentMixing } from '../../../models/passes/cross-segments.ts';
import { gainSides } from '../../../models/passes/side-branch.ts';
import { selfBias, type TokenBoost } from '../adapters/attention-biases.ts';
import { type AdapterUse, type LevelSizes, levelSizes } from '../adapters/gates.ts';
import { picksRanks, plainVariant, selfRunsFor, type UNetVariant } from '../adapters/graph-variants.ts';
import type { ActiveAdapter, ModelAdapters } from '../adapters/model-adapters.ts';
import { type AttentionPlaces, NetworkInputs } from '../adapters/network-inputs.ts';
import { RegionCells } from '../adapters/region-cells.ts';
import { type PlacedRegions, placeRegions } from '../adapters/regions.ts';
import { actsAt, scheduleFactor } from '../adapters/strength-schedule.ts';
import type { Conditioning, LatentShape } from '../model/conditioning.ts';
import type { LoadedModel } from '../model/loaded-model.ts';
import type { Tensor } from '../runtime/tensor.ts';
import {
  type CompositionPart,
  compositionWarnings,
  conceptEntries,
  type PartsPlan,
  type PromptSegment,
  planParts,
} from './composition-parts.ts';
import { tokenColumns } from './concept-tokens.ts';
import type { SizedRequest } from './init-picture.ts';
import { mapLevel } from './map-level.ts';
import {
  type ConditioningSchedule,
  chunkCount,
  conditioningAt,
  encodePrompts,
  type NamedEmbedding,
  type PromptConditioning,
} from './text-conditioning.ts';

/** A row of the UNet: what it is conditioned on, and its factors, gates and biases by input name. */
export interface PlannedRow {
  conditioning: Conditioning;
  inputs: Readonly<Record<string, Tensor>>;
  /** Latent cells by which the picture is turned to the right while this is predicted; omitted: not. */
  turn?: number;
}

/** One of the predictions that a step is made of, before guidance. */
export interface StepPart {
  /** Weight at each latent cell; null: everywhere, as much as each other part. */
  share: Float32Array | null;
  positive: PlannedRow;
  /** Null where no step is guided. */
  negative: PlannedRow | null;
}

/** What the UNet draws at each step of a request. */
export interface Composition {
  variant: UNetVariant;
  at(step: number): StepPart[];
  /** Sizes of the picture's levels, the latent's own first. */
  sizes: LevelSizes;
  /** CLoRA's concepts in the parts' prompts. */
  concepts?: ConceptTokens;
  /** LoRA-Composer's regions. */
  composed?: ComposedRegions;
  /** The request's regions on the latent, where any matter. */
  placed: PlacedRegions | null;
}

/** The maps of cross-attention that a method reads. */
export interface MapsOutput {
  level: number;
  /** Name of the UNet's output. */
  output: string;
}

export interface ConceptTokens {
  maps: MapsOutput;
  /** Of each part, its own concept; null for the plain one, which is the first. */
  ofPart: readonly (number | null)[];
  /** By part and concept: columns of the concept's words in the part's prompt. */
  columns(step: number): readonly (readonly (readonly number[])[])[];
}

export interface ComposedRegions {
  maps: MapsOutput;
  cells: RegionCells;
  mixing: SegmentMixing;
  /** By region: columns of its words in its own prompt. */
  words(step: number): readonly (readonly number[])[];
}

export interface CompositionContext {
  model: LoadedModel;
  adapters: ModelAdapters;
  embeddings: readonly NamedEmbedding[];
  warn: (warning: EngineWarning) => void;
  signal?: AbortSignal;
}

/**
 * Opens what a request is composed of, encodes its prompts and plans its steps.
 * @param guided whether any step has classifier-free guidance
 */
export async function composePicture(
  request: SizedRequest,
  shape: LatentShape,
  active: readonly ActiveAdapter[],
  guided: boolean,
  context: CompositionContext,
): Promise<Composition> {
  const { model, adapters, warn } = context;
  for (const warning of compositionWarnings(request, active)) warn(warning);
  const levels = model.unet.config.blockOutChannels.length;
  const placed = await placeAsked(request, active, levels, context);
  const plan = planParts(request, active, placed);
  const isolated = placed !== null && placed.regions.length > 1 && request.composition.isolation > 0;
  const [, height, width] = shape;
  const { method, mode, bias, biasUntil } = request.composition;
  const sizes = levelSizes(height, width, levels);
  const cells = method === 'lora-composer' && placed ? new RegionCells(placed.regions, request, sizes) : null;
  const level = mapLevel(model.unet.config, model.vae.factor, request.composition.mapLevel);
  const biased = cells !== null && mode === 'forward' && bias > 0;
  const variant: UNetVariant = {
    ...plainVariant,
    reach: adapterReaches.findLast((reach) => active.some((adapter) => adapter.reach === reach)) ?? null,
    gains: gainSides.filter((side) => active.some(({ gains }) => gains.unet.includes(side))),
    picks: picksRanks(model.provider),
    cross: cells ? biased : plan.segmented,
    selfRuns: isolated || (cells && cells.regions > 1) ? selfRunsFor(height * width) : 0,
    segments: cells !== null,
    maps: method === 'clora' ? { level, alone: false } : null,
    injections: request.style !== undefined,
  };
  const variantInputs = await adapters.unetInputs(variant);
  const inputs = new NetworkInputs(
    variantInputs,
    active.length > 0 ? (await adapters.stacks()).unet : null,
    sizes,
    cells ?? attentionPlaces(isolated ? placed : null, request.composition.isolation),
  );
  const words = regionWords(request, plan, context);
  // Words that are not there are told before anything is drawn.
  if (cells) words(0);
  const mixing = variantInputs.segments?.mixing ?? null;
  if (cells?.overlapping() && mixing === 'weights' && active.some(({ ref }) => ref.region !== undefined)) {
    warn({
      code: 'COMPOSER_OVERLAP',
      message:
        'Where regions overlap on an exported ONNX model, their adapters act on the mean of what the regions look at, and not each on its own.',
    });
  }
  const prompts = await SegmentPrompts.encode(request, plan, active, guided, context);
  const allIds = [...new Set(active.map(({ id }) => id))];
  // Rows that share a call share its factors; alone a row is given its own adapters' only.
  const idsOf = (uses: readonly AdapterUse[]) =>
    model.unet.batchRows ? allIds : [...new Set(uses.map(({ id }) => id))];

  const row = (part: CompositionPart, step: number, side: 'positive' | 'negative'): PlannedRow => {
    const uses = part.adapters.map(({ adapter, mask, crossOnly = false }) => {
      const strength = adapter.ref.strength * scheduleFactor(adapter.ref, step / request.steps);
      return { adapter, use: { id: adapter.id, strength, mask, crossOnly } };
    });
    const conditionings = part.segments.map((segment) =>
      conditioningAt(prompts.at(segment, step)[side] as ConditioningSchedule, step),
    );
    const several = part.segments.length > 1;
    const segments = part.segments.map((segment, index) => ({
      tokens: (conditionings[index] as Conditioning).tokens,
      mask: segment.mask,
      uses: new Set(uses.filter(({ adapter }) => segment.adapters.includes(adapter)).map(({ use }) => use)),
      ...(biased && side === 'positive' && step < biasUntil * request.steps
        ? { boosts: boostsOf(segment, words(step), bias) }
        : {}),
    }));
    const all = uses.map(({ use }) => use);
    return {
      conditioning: joinConditionings(conditionings, part.segments),
      inputs: inputs.row(idsOf(all), { uses: all, ...(several ? { segments } : {}) }, segments),
      ...(part.turn ? { turn: part.turn } : {}),
    };
  };
  const output = `attention_maps/cross/level${level}`;
  return {
    variant,
    sizes,
    placed,
    ...(method === 'clora' ? { concepts: conceptTokens(request, active, { level, output }, context) } : {}),
    ...(cells && mixing ? { composed: { maps: { level, output }, cells, mixing, words } } : {}),
    at: (step) =>
      plan.at(step).map((part) => ({
        share: part.share?.levels[0]?.data ?? null,
        positive: row(part, step, 'positive'),
        negative: guided ? row(part, step, 'negative') : null,
      })),
  };
}

/** A composition of nothing but prompts. */
export function plainComposition({ positive, negative }: PromptConditioning): Composition {
  const row = (schedule: ConditioningSchedule, step: number) => ({
    conditioning: conditioningAt(schedule, step),
    inputs: noInputs,
  });
  return {
    variant: plainVariant,
    sizes: [],
    placed: null,
    at: (step) => [{ share: null, positive: row(positive, step), negative: negative && row(negative, step) }],
  };
}

const noInputs = {};

function attentionPlaces(placed: PlacedRegions | null, strength: number): AttentionPlaces {
  if (!placed) return {};
  const masks = placed.regions.map(({ share }) => share);
  return { isolation: (level) => selfBias(masks, strength, level) };
}

/** A value for each step that is found when it is first asked for. */
function byStep<T>(find: (step: number) => T): (step: number) => T {
  const known = new Map<number, T>();
  return (step) => {
    const value = known.get(step) ?? find(step);
    known.set(step, value);
    return value;
  };
}

/** Where each region's words stand in its own prompt (LoRA-Composer). */
function regionWords(
  { regions, steps }: SizedRequest,
  plan: PartsPlan,
  { model, embeddings }: CompositionContext,
): (step: number) => number[][] {
  return byStep((step) =>
    (plan.at(step)[0] as CompositionPart).segments.flatMap(({ region, prompt }) => {
      const asked = region === undefined ? undefined : regions[region];
      if (!asked) return [];
      const whose = `The region "${asked.name}"`;
      return [tokenColumns(model, prompt, asked.words ?? null, embeddings, { step, steps }, whose)];
    }),
  );
}

/** The words of a region's own segment are looked at inside it. */
function boostsOf({ region }: PromptSegment, words: readonly (readonly number[])[], logits: number): TokenBoost[] {
  return region === undefined ? [] : [{ region, logits, tokens: words[region] ?? [] }];
}

/** Where each concept's words stand in each part's prompt (CLoRA). */
function conceptTokens(
  request: SizedRequest,
  active: readonly ActiveAdapter[],
  maps: MapsOutput,
  { model, embeddings }: CompositionContext,
): ConceptTokens {
  const entries = conceptEntries(request, active);
  const columns = byStep((step) =>
    entries.map((entry) =>
      request.concepts.map(({ name, words, as }, concept) => {
        const spoken = concept === entry.concept && as !== undefined ? as : words;
        const at = { step, steps: request.steps };
        return tokenColumns(
          model,
          entry.prompt,
          spoken,
          embeddings,
          at,
          `The concept "${name}"`,
          request.composition.conceptTokens,
        );
      }),
    ),
  );
  // Words that are not there are told before anything is drawn.
  columns(0);
  return { maps, ofPart: entries.map(({ concept }) => concept), columns };
}

/** The regions that matter: all for the method regional and for isolation, else those with adapters. */
async function placeAsked(
  request: SizedRequest,
  active: readonly ActiveAdapter[],
  levels: number,
  { model, warn, signal }: CompositionContext,
): Promise<PlacedRegions | null> {
  const { method, isolation, base } = request.composition;
  const all = method === 'regional' || method === 'lora-composer' || isolation > 0 || request.style !== undefined;
  const regions = request.regions.filter(({ name }) => all || active.some(({ ref }) => ref.region === name));
  if (regions.length === 0) return null;
  const size = { width: request.width, height: request.height, factor: model.vae.factor, levels };
  return placeRegions(regions, method === 'regional' ? base : 0, size, warn, signal);
}

/** The prompts of all segments, encoded once for each set of adapters that act on the text encoders. */
class SegmentPrompts {
  readonly #steps: number;
  readonly #encoded = new Map<string, PromptConditioning>();

  private constructor(steps: number) {
    this.#steps = steps;
  }

  static async encode(
    request: SizedRequest,
    plan: PartsPlan,
    active: readonly ActiveAdapter[],
    guided: boolean,
    { model, adapters, embeddings, warn }: CompositionContext,
  ): Promise<SegmentPrompts> {
    const prompts = new SegmentPrompts(request.steps);
    const networks = await Promise.all(
      model.text.map(async (_, index) => {
        if (!active.some(({ text }) => text[index])) return null;
        const stack = (await adapters.stacks()).text[index] ?? null;
        const gains = gainSides.filter((side) => active.some(({ gains: own }) => own.text[index]?.includes(side)));
        const variant = { gains, picks: picksRanks(model.provider) };
        const inputs = new NetworkInputs(await adapters.textInputs(index, variant), stack, [{ height: 1, width: 1 }]);
        return { inputs, variant };
      }),
    );
    const chunks = request.composition.method === 'lora-composer' ? mostChunks(request, plan, model, embeddings) : 1;
    for (let step = 0; step < request.steps; step++) {
      for (const segment of plan.at(step).flatMap((part) => part.segments)) {
        const key = prompts.#key(segment, step);
        if (prompts.#encoded.has(key)) continue;
        const acting = prompts.#acting(segment, step);
        const adapted = model.text.map((_, index) => {
          const here = acting.filter(({ text }) => text[index]);
          if (here.length === 0) return null;
          const uses = here.map(({ id, ref }) => ({ id, strength: textStrength(ref), mask: null }));
          const network = networks[index];
          if (!network) return null;
          const inputs = network.inputs.row([...new Set(here.map(({ id }) => id))], { uses }, []);
          return { inputs, variant: network.variant };
        });
        const { prompt, negativePrompt } = segment;
        const asked = { ...request, prompt, negativePrompt };
        prompts.#encoded.set(key, await encodePrompts(model, asked, embeddings, guided, warn, adapted, chunks));
      }
    }
    return prompts;
  }

  at(segment: PromptSegment, step: number): PromptConditioning {
    return this.#encoded.get(this.#key(segment, step)) as PromptConditioning;
  }

  /** A step range holds for text too; a curve shapes the UNet alone, since each of its steps would be a prompt of its own. */
  #acting(segment: PromptSegment, step: number): ActiveAdapter[] {
    return segment.adapters.filter(({ ref, text }) => text.includes(true) && actsAt(ref, step / this.#steps));
  }

  #key(segment: PromptSegment, step: number): string {
    const acting = this.#acting(segment, step).map(({ id, ref }) => [id, textStrength(ref)]);
    return JSON.stringify([segment.prompt, segment.negativePrompt, acting]);
  }
}

/** Segments that lie side by side are of one length. */
function mostChunks(
  { steps }: SizedRequest,
  plan: PartsPlan,
  model: LoadedModel,
  embeddings: readonly NamedEmbedding[],
): number {
  const segments = plan.at(0).flatMap((part) => part.segments);
  const prompts = segments.flatMap(({ prompt, negativePrompt }) => [prompt, negativePrompt]);
  return chunkCount(model, prompts, steps, embeddings);
}

const textStrength = ({ textStrength: own, strength }: ActiveAdapter['ref']): number => own ?? strength;

/** The tokens of all segments in one row; pooled embeddings, which have no place, by the segments' areas. */
function joinConditionings(parts: readonly Conditioning[], segments: readonly PromptSegment[]): Conditioning {
  const [first] = parts;
  if (!first) throw new Error('a row without a prompt');
  if (parts.length === 1) return first;
  const hidden = new Float32Array(parts.reduce((sum, part) => sum + part.hidden.length, 0));
  let offset = 0;
  for (const part of parts) {
    hidden.set(part.hidden, offset);
    offset += part.hidden.length;
  }
  const tokens = parts.reduce((sum, part) => sum + part.tokens, 0);
  if (!first.pooled) return { ...first, hidden, tokens };
  const areas = segments.map(({ mask }) => mask?.mean ?? 1);
  const total = areas.reduce((sum, area) => sum + area, 0);
  const pooled = first.pooled.map((_, at) =>
    parts.reduce((sum, part, index) => sum + ((part.pooled?.[at] ?? 0) * (areas[index] as number)) / total, 0),
  );
  return { ...first, hidden, tokens, pooled };
}
