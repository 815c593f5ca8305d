import type { EngineWarning } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import type { MaskPlane, MaskPyramid } from '../adapters/level-masks.ts';
import type { ActiveAdapter } from '../adapters/model-adapters.ts';
import type { PlacedRegions } from '../adapters/regions.ts';
import { scheduleFactor } from '../adapters/strength-schedule.ts';
import { escapeRegExp } from '../text/escape-reg-exp.ts';
import { turnToMiddle } from './centred-row.ts';

/** A prompt within a row, where it is looked at and which adapters act on it. */
export interface PromptSegment {
  prompt: string;
  negativePrompt: string;
  adapters: readonly ActiveAdapter[];
  /** Null: everywhere. */
  mask: MaskPyramid | null;
  /** Of LoRA-Composer: the region that it is the prompt of, in the order of the request. */
  region?: number;
}

/** One of the predictions that a step is made of. */
export interface CompositionPart {
  /** Where it counts; null: everywhere, as much as each other part. */
  share: MaskPyramid | null;
  /** Latent cells by which the picture is turned to the right while this is predicted; omitted: not. */
  turn?: number;
  /** One, or several where the places of a picture read prompts of their own. */
  segments: readonly PromptSegment[];
  adapters: readonly {
    adapter: ActiveAdapter;
    mask: MaskPyramid | null;
    /** It acts in the cross-attention of its segments alone. */
    crossOnly?: boolean;
  }[];
}

export interface PartsPlan {
  /** The parts of a step. Equal parts are the same objects. */
  at(step: number): readonly CompositionPart[];
  /** Does any part have several segments? */
  segmented: boolean;
}

type Asked = Pick<RenderRequest, 'prompt' | 'negativePrompt' | 'steps' | 'composition' | 'concepts' | 'style' | 'init'>;

/**
 * Which predictions each step is made of, by the method that the request asks for (Zhong et al. 2024 for switch and
 * composite).
 */
export function planParts(request: Asked, adapters: readonly ActiveAdapter[], placed: PlacedRegions | null): PartsPlan {
  const { method, switchEvery, regionalBy } = request.composition;
  if (method === 'regional' && placed) {
    if (regionalBy === 'bias') {
      const row = [regionalRow(request, adapters, placed)];
      return { at: () => row, segmented: true };
    }
    const rows = regionalRows(request, adapters, placed);
    const centred = rows.map((row) => (row.share === placed.background ? row : inTheMiddle(row)));
    const { isolation, centreUntil } = request.composition;
    const until = isolation === 0 && !request.init ? centreUntil * request.steps : 0;
    return { at: (step) => (step < until ? centred : rows), segmented: false };
  }
  if (request.style && placed) {
    const parts = styleParts(request, adapters, placed);
    return { at: () => parts, segmented: false };
  }
  if (method === 'lora-composer' && placed) {
    const parts = [composedRow(request, adapters, placed)];
    return { at: () => parts, segmented: true };
  }
  if (method === 'clora') {
    const parts = conceptEntries(request, adapters).map((entry) =>
      masked({ ...request, prompt: entry.prompt }, entry.adapters, placed),
    );
    return { at: () => parts, segmented: isSegmented(parts) };
  }
  // All adapters' words are in the one prompt, whichever of them draws.
  const prompt = withTriggers(request.prompt, adapters);
  const part = (drawing: readonly ActiveAdapter[]) => masked({ ...request, prompt }, drawing, placed);
  if (method === 'sum' || method === 'regional' || adapters.length < 2) {
    const parts = [part(adapters)];
    return { at: () => parts, segmented: isSegmented(parts) };
  }
  const alone = adapters.map((adapter) => part([adapter]));
  const segmented = isSegmented(alone);
  if (method === 'switch') {
    return { at: (step) => [alone[Math.floor(step / switchEvery) % alone.length] as CompositionPart], segmented };
  }
  const plain = [part([])];
  return {
    at: (step) => {
      const drawing = alone.filter((_, index) => {
        const { ref } = adapters[index] as ActiveAdapter;
        return scheduleFactor(ref, step / request.steps) !== 0;
      });
      return drawing.length > 0 ? drawing : plain;
    },
    segmented,
  };
}

const isSegmented = (parts: readonly CompositionPart[]): boolean => parts.some(({ segments }) => segments.length > 1);

/** One row: adapters of regions act within their masks, and what they make of the prompt is read there alone. */
function masked(request: Asked, adapters: readonly ActiveAdapter[], placed: PlacedRegions | null): CompositionPart {
  const { prompt, negativePrompt } = request;
  const everywhere = adapters.filter(({ ref }) => ref.region === undefined);
  const regionOf = (adapter: ActiveAdapter) =>
    placed?.regions.find(({ region }) => region.name === adapter.ref.region) ?? null;
  const drawn = adapters.map((adapter) => ({ adapter, mask: regionOf(adapter)?.mask ?? null }));
  const reading = (placed?.regions ?? []).filter((region) =>
    adapters.some((adapter) => adapter.changesPrompt && regionOf(adapter) === region),
  );
  if (reading.length === 0) {
    return { share: null, segments: [{ prompt, negativePrompt, adapters, mask: null }], adapters: drawn };
  }
  const silent = (placed?.regions ?? []).filter((region) => !reading.includes(region));
  const rest = sumOf([placed?.background ?? null, ...silent.map(({ share }) => share)]);
  const segments: PromptSegment[] = reading.map((region) => ({
    prompt,
    negativePrompt,
    adapters: adapters.filter((adapter) => everywhere.includes(adapter) || regionOf(adapter) === region),
    mask: region.share,
  }));
  if (rest) segments.unshift({ prompt, negativePrompt, adapters: everywhere, mask: rest });
  return { share: null, segments, adapters: drawn };
}

interface RegionalPiece extends PromptSegment {
  mask: MaskPyramid;
  /** Adapters of this piece alone. */
  own: readonly ActiveAdapter[];
}

/** The background and the regions, each with its prompt and its adapters. */
function pieces(request: Asked, adapters: readonly ActiveAdapter[], placed: PlacedRegions): RegionalPiece[] {
  const everywhere = adapters.filter(({ ref }) => ref.region === undefined);
  const found: RegionalPiece[] = placed.regions.map(({ region, share }) => {
    const own = adapters.filter(({ ref }) => ref.region === region.name);
    const acting = adapters.filter((adapter) => everywhere.includes(adapter) || own.includes(adapter));
    return {
      prompt: withTriggers(region.prompt.trim() === '' ? request.prompt : region.prompt, acting),
      negativePrompt: region.negativePrompt ?? request.negativePrompt,
      adapters: acting,
      own,
      mask: share,
    };
  });
  const { background } = placed;
  if (background) {
    const prompt = withTriggers(request.prompt, everywhere);
    found.unshift({
      prompt,
      negativePrompt: request.negativePrompt,
      adapters: everywhere,
      own: [],
      mask: background,
    });
  }
  return found;
}

/** A row a region: each draws its prompt over the whole picture, and counts where its region is. */
function regionalRows(request: Asked, adapters: readonly ActiveAdapter[], placed: PlacedRegions): CompositionPart[] {
  return pieces(request, adapters, placed).map((piece) => ({
    share: piece.mask,
    segments: [{ ...piece, mask: null }],
    adapters: piece.adapters.map((adapter) => ({ adapter, mask: null })),
  }));
}

/** The same, drawn with its region as the middle of the picture. */
const inTheMiddle = (row: CompositionPart): CompositionPart => ({
  ...row,
  turn: turnToMiddle(row.share?.levels[0] as MaskPlane),
});

/** One row, in which each place reads its own region's prompt and has its own region's adapters. */
function regionalRow(request: Asked, adapters: readonly ActiveAdapter[], placed: PlacedRegions): CompositionPart {
  const found = pieces(request, adapters, placed);
  return {
    share: null,
    segments: found,
    adapters: adapters.map((adapter) => ({
      adapter,
      mask: found.find(({ own }) => own.includes(adapter))?.mask ?? null,
    })),
  };
}

/** One row: each region's prompt is read there alone, and its adapters act within it, or in its cross-attention alone. */
function composedRow(request: Asked, adapters: readonly ActiveAdapter[], placed: PlacedRegions): CompositionPart {
  const everywhere = adapters.filter(({ ref }) => ref.region === undefined);
  const { negativePrompt } = request;
  const main: PromptSegment = {
    prompt: withTriggers(request.prompt, everywhere),
    negativePrompt,
    adapters: everywhere,
    mask: null,
  };
  const ofRegions = placed.regions.map(({ region }, index): PromptSegment => {
    const acting = adapters.filter(({ ref }) => ref.region === undefined || ref.region === region.name);
    return {
      prompt: withTriggers(region.prompt.trim() === '' ? request.prompt : region.prompt, acting),
      negativePrompt: region.negativePrompt ?? negativePrompt,
      adapters: acting,
      mask: null,
      region: index,
    };
  });
  return {
    share: null,
    segments: [main, ...ofRegions],
    adapters: adapters.map((adapter) => {
      const own = placed.regions.find(({ region }) => region.name === adapter.ref.region);
      if (!own) return { adapter, mask: null };
      if (request.composition.adapterLayers === 'all') return { adapter, mask: own.share };
      return { adapter, mask: null, crossOnly: true };
    }),
  };
}

/** The bare model without a prompt; then each region's adapters with its prompt, and without one. */
function styleParts(request: Asked, adapters: readonly ActiveAdapter[], placed: PlacedRegions): CompositionPart[] {
  const part = (prompt: string, negativePrompt: string, acting: readonly ActiveAdapter[]): CompositionPart => ({
    share: null,
    segments: [{ prompt, negativePrompt, adapters: acting, mask: null }],
    adapters: acting.map((adapter) => ({ adapter, mask: null })),
  });
  const ofRegions = placed.regions.flatMap(({ region }) => {
    const acting = adapters.filter(({ ref }) => ref.region === undefined || ref.region === region.name);
    const prompt = withTriggers(region.prompt.trim() === '' ? request.prompt : region.prompt, acting);
    return [part(prompt, region.negativePrompt ?? request.negativePrompt, acting), part('', '', acting)];
  });
  return [part('', '', []), ...ofRegions];
}

/** A run of CLoRA: the plain model's (`concept` null) or that of a concept's adapters. */
export interface ConceptEntry {
  /** Which of the request's concepts. */
  concept: number | null;
  prompt: string;
  adapters: readonly ActiveAdapter[];
}

/**
 * The runs of CLoRA: the plain model's, then one for each concept that adapters name, whose prompt has the concept's own words.
 * Adapters without a concept act in all of them.
 * @throws ImpastoError `REQUEST_INVALID` where the prompt does not hold a concept's words
 */
export function conceptEntries(
  { prompt, concepts }: Pick<RenderRequest, 'prompt' | 'concepts'>,
  adapters: readonly ActiveAdapter[],
): ConceptEntry[] {
  const everywhere = adapters.filter(({ ref }) => ref.concept === undefined);
  const own = concepts.flatMap(({ name, words, as }, concept): ConceptEntry[] => {
    const drawing = adapters.filter(({ ref }) => ref.concept === undefined || ref.concept === name);
    if (drawing.length === everywhere.length) return [];
    return [{ concept, prompt: withTriggers(renamed(prompt, name, words, as), drawing), adapters: drawing }];
  });
  return [{ concept: null, prompt: withTriggers(prompt, everywhere), adapters: everywhere }, ...own];
}

/** The prompt with a concept's words as its own adapters read them. */
function renamed(prompt: string, name: string, words: string, as: string | undefined): string {
  const found = new RegExp(`(?<![\\p{L}\\p{N}])${escapeRegExp(words)}(?![\\p{L}\\p{N}])`, 'giu');
  if (!found.test(prompt)) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `The concept "${name}" stands for the words "${words}", and the prompt does not hold them.`,
      'Name words as they stand in the prompt.',
    );
  }
  return as === undefined ? prompt : prompt.replace(found, () => as);
}

/** The prompt with the trigger words that it lacks. */
export function withTriggers(prompt: string, adapters: readonly ActiveAdapter[]): string {
  let text = prompt;
  for (const { ref } of adapters) {
    const trigger = ref.trigger?.trim() ?? '';
    if (trigger === '' || text.toLowerCase().includes(trigger.toLowerCase())) continue;
    text = text.trim() === '' ? trigger : `${text}, ${trigger}`;
  }
  return text;
}

function sumOf(masks: readonly (MaskPyramid | null)[]): MaskPyramid | null {
  const given = masks.filter((mask) => mask !== null);
  const [first, ...others] = given;
  if (!first || others.length === 0) return first ?? null;
  return {
    mean: given.reduce((sum, { mean }) => sum + mean, 0),
    levels: first.levels.map((plane, level) => ({
      ...plane,
      data: plane.data.map((value, at) =>
        others.reduce((sum, mask) => sum + (mask.levels[level]?.data[at] as number), value),
      ),
    })),
  };
}

/** What of a request's composition has no effect. */
export function compositionWarnings(
  request: Pick<RenderRequest, 'composition' | 'regions' | 'steps' | 'concepts' | 'style' | 'batch'>,
  adapters: readonly ActiveAdapter[],
): EngineWarning[] {
  const { composition, regions, steps, concepts, style } = request;
  const warnings: EngineWarning[] = [];
  const warn = (code: string, message: string) => warnings.push({ code, message });
  const { method, isolation, switchEvery } = composition;
  const prompted = regions.filter(({ prompt, negativePrompt }) => prompt.trim() !== '' || negativePrompt !== undefined);
  if (method !== 'clora' && concepts.length > 0) {
    warn('CONCEPTS_UNUSED', `Concepts act with the method clora only: ${method} takes no heed of them.`);
  }
  if (style && request.batch > 1) {
    warn('SEED_UNUSED', 'A style starts from its content and no noise: all pictures of the batch are the same.');
  }
  if (method === 'regional' || method === 'lora-composer' || style) {
    for (const { name, prompt } of regions) {
      if (prompt.trim() !== '') continue;
      warn('REGION_WITHOUT_PROMPT', `The region "${name}" has no prompt of its own: it is drawn from the main prompt.`);
    }
  } else if (prompted.length > 0) {
    warn(
      'REGION_PROMPTS_UNUSED',
      `Prompts of regions act with the method regional only: ${prompted.map(({ name }) => `"${name}"`).join(', ')} use the main prompt.`,
    );
  }
  if ((isolation > 0 || method === 'lora-composer') && regions.length < 2) {
    warn('ISOLATION_UNUSED', 'There are no two regions to isolate from each other: isolation has no effect.');
  }
  if (method === 'switch' && adapters.length > 1 && switchEvery * (adapters.length - 1) >= steps) {
    const drawing = Math.ceil(steps / switchEvery);
    warn(
      'SWITCH_TOO_SLOW',
      `With ${switchEvery} steps each, ${steps} steps give only ${drawing} of ${adapters.length} adapters a turn.`,
    );
  }
  for (const { name, ref } of adapters) {
    const acts = Array.from({ length: steps }, (_, step) => scheduleFactor(ref, step / steps)).some(
      (factor) => factor !== 0,
    );
    if (!acts) warn('ADAPTER_NEVER_ACTS', `None of the ${steps} steps lies in the range in which ${name} acts.`);
  }
  return warnings;
}
