import type { ConceptsApart } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import type { Composition as CompositionSettings } from '../../../contract/request.ts';
import type { LevelSizes } from '../adapters/gates.ts';
import type { UNetVariant } from '../adapters/graph-variants.ts';
import type { LatentShape } from '../model/conditioning.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
import type { ConceptTokens } from './composition.ts';
import { closed, conceptMask, highestMasks, maskShares, meanOverlap, nearest } from './concept-masks.ts';
import { contrastiveGradient, contrastiveLoss, type LabelledMap } from './contrastive-loss.ts';
import { mapGradient, moved, type RowCotangents } from './map-gradient.ts';
import {
  type DrawingMethod,
  distilledGuidance,
  drawStep,
  guidedPrediction,
  type PredictorOptions,
  type StepInput,
  type StepOutputs,
} from './predictor.ts';

/**
 * CLoRA (Meral et al. 2024): each concept's adapters draw every step on their own, the plain model too, and count where
 * the attention maps of their own run show the concept. Of several noises the one whose maps keep the concepts apart best
 * at the first step may be chosen.
 *
 * Forward-only is how the authors' code runs without latent updates. Exact moves the latent down the gradient of the loss on
 * the maps at each of the first steps, and at steps 0, 10 and 20 by further ones (20 in the authors' code) before; maps and predictions are
 * those from before the last move.
 */
export interface CloraOptions extends PredictorOptions {
  settings: CompositionSettings;
  concepts: ConceptTokens;
  /** The UNet's output of maps, and the sizes of its levels. */
  maps: { output: string; level: number; sizes: LevelSizes };
  shape: LatentShape;
  scheduler: Scheduler;
  onMove?: ((move: LatentMove) => void) | undefined;
}

/** One move of the latent down the gradient of the loss. */
export interface LatentMove {
  /** After the move. */
  latent: Float32Array;
  /** To the latent as the network sees it. */
  gradient: Float32Array;
}

export function clora(options: CloraOptions): DrawingMethod {
  const apart = new ApartRecorder();
  return {
    predict: async (at) => {
      const moves = movesAt(at.step, options.settings);
      let from = at;
      for (let move = 1; move < moves; move++) {
        const outputs = await drawStep(options, from, mapsAlone(options));
        if (move === 1) apart.begin(at.call, conceptMaps(outputs, options, at.step));
        from = await movedApart(from, outputs, options);
      }
      const outputs = await drawStep(options, from);
      const maps = conceptMaps(outputs, options, at.step);
      const masks = conceptMasks(maps, options);
      apart.begin(at.call, maps);
      apart.step(maps, masks);
      const prediction = guidedPrediction(outputs, options.guidance, maskShares(masks));
      if (moves === 0) return { prediction };
      const { latent } = await movedApart(from, outputs, options);
      return { prediction, latent };
    },
    apart: () => apart.result(),
    ...(options.settings.screen > 1 ? { begin: (start, another) => screened(start, another, options) } : {}),
  };
}

/** Follows how far one picture's concepts are kept apart. */
class ApartRecorder {
  #before: number | null = null;
  #after = 0;
  readonly #overlaps: number[] = [];

  /** The first maps of a call; only those of the first call, before any move, count. */
  begin(call: number, maps: readonly Float32Array[][][]): void {
    if (call === 0) this.#before ??= contrastiveLoss(labelled(maps));
  }

  step(maps: readonly Float32Array[][][], masks: readonly Uint8Array[]): void {
    this.#after = contrastiveLoss(labelled(maps));
    this.#overlaps.push(meanOverlap(masks));
  }

  result(): ConceptsApart | null {
    if (this.#before === null) return null;
    const maskOverlap = this.#overlaps.reduce((sum, value) => sum + value, 0) / this.#overlaps.length;
    return { lossBefore: this.#before, lossAfter: this.#after, maskOverlap };
  }
}

/** Of the authors' code: step size, steps with moves, and those with further ones. */
const rate = 20;
const stepsWithMoves = 30;
const furtherAt: readonly number[] = [0, 10, 20];

/** How often the latent is moved at a step. */
function movesAt(step: number, settings: CompositionSettings): number {
  const { mode, updateSteps = stepsWithMoves, innerUpdates } = settings;
  if (mode !== 'exact' || step >= updateSteps) return 0;
  return furtherAt.includes(step) ? 1 + innerUpdates : 1;
}

/** The latent one move down the gradient of the loss on the maps that it gave. */
async function movedApart(at: StepInput, outputs: StepOutputs, options: CloraOptions): Promise<StepInput> {
  const gradients = contrastiveGradient(labelled(conceptMaps(outputs, options, at.step)));
  const { unet, guidance, scheduler } = options;
  const gradient = await mapGradient(at, cotangents(gradients, outputs, options, at.step), {
    unet,
    variant: mapsAlone(options),
    guidance: distilledGuidance(unet, guidance),
  });
  const next = moved(at, gradient, rate, scheduler);
  options.onMove?.({ latent: next.latent, gradient });
  return next;
}

/** The derivatives with respect to the concepts' maps, in the order of {@link labelled}, as those of each row's maps. */
function cotangents(
  gradients: readonly Float32Array[],
  outputs: StepOutputs,
  { concepts, maps }: CloraOptions,
  step: number,
): RowCotangents[] {
  const places = sizeOf(maps).height * sizeOf(maps).width;
  const columns = concepts.columns(step);
  let next = 0;
  return outputs.parts.flatMap(({ positive, negative }, part) => {
    const rows = outputs.guided && negative ? [positive, negative] : [positive];
    const tokens = positive.conditioning.tokens;
    const data = new Float32Array(places * tokens);
    for (const column of columns[part]?.flat() ?? []) {
      for (const [place, value] of (gradients[next++] as Float32Array).entries()) {
        const index = place * tokens + column;
        data[index] = (data[index] as number) + value / rows.length;
      }
    }
    return rows.map((row) => ({ row, cotangents: { [maps.output]: { data, shape: [1, places, tokens] } } }));
  });
}

/** The run as far as the maps. */
const mapsAlone = ({ composition, maps: { level } }: CloraOptions): UNetVariant => ({
  ...composition.variant,
  maps: { level, alone: true },
});

/**
 * The maps of every concept's tokens in the run of every part: over layers and heads by the UNet, over both guidance rows here.
 * [part][concept][token] -> [places]
 */
export function conceptMaps(outputs: StepOutputs, { concepts, maps }: CloraOptions, step: number): Float32Array[][][] {
  const places = sizeOf(maps).height * sizeOf(maps).width;
  return outputs.parts.map(({ positive, negative }, part) => {
    const rows = outputs.guided && negative ? [positive, negative] : [positive];
    const given = rows.map((row) => outputs.of(row)[maps.output] as Float32Array);
    const tokens = positive.conditioning.tokens;
    return concepts
      .columns(step)
      [part]?.map((columns) =>
        columns.map((column) =>
          Float32Array.from(
            { length: places },
            (_, place) => given.reduce((sum, map) => sum + (map[place * tokens + column] as number), 0) / given.length,
          ),
        ),
      ) as Float32Array[][];
  });
}

/** Where each part but the plain one counts, by the maps: 1 inside, on the latent's cells. */
function conceptMasks(maps: readonly Float32Array[][][], options: CloraOptions): Uint8Array[] {
  const { settings, concepts, shape } = options;
  const size = sizeOf(options.maps);
  const [, height, width] = shape;
  const drawn = concepts.ofPart.slice(1) as number[];
  return (settings.masks === 'highest' ? owned() : claimed()).map((mask) => nearest(mask, size, { height, width }));

  /** By every run's maps. A concept without adapters of its own leaves its places to the plain part. */
  function owned(): Uint8Array[] {
    const ofConcepts = (maps[0] ?? []).map((_, concept) => maps.flatMap((part) => part[concept] as Float32Array[]));
    const masks = highestMasks(ofConcepts, size);
    return drawn.map((concept) => masks[concept] as Uint8Array);
  }

  function claimed(): Uint8Array[] {
    return drawn.map((concept, index) => {
      const mask = conceptMask(maps[index + 1]?.[concept] as Float32Array[], settings.threshold);
      return settings.closeMasks ? closed(mask, size) : mask;
    });
  }
}

/** All maps with their concepts, as the loss takes them. */
export function labelled(maps: readonly Float32Array[][][]): LabelledMap[] {
  return maps.flatMap((part) => part.flatMap((tokens, concept) => tokens.map((map) => ({ concept, map }))));
}

/** The noise of the lowest loss at the first step. */
async function screened(
  start: Float32Array,
  another: () => Float32Array,
  options: CloraOptions,
): Promise<Float32Array> {
  const { scheduler, shape, settings } = options;
  const timestep = scheduler.timesteps[0];
  if (timestep === undefined) return start;
  const variant = mapsAlone(options);
  let best = { latent: start, loss: Number.POSITIVE_INFINITY };
  for (let tried = 0; tried < settings.screen; tried++) {
    const latent = tried === 0 ? start : another();
    const input = scheduler.scaleModelInput(latent, 0);
    const outputs = await drawStep(options, { input, shape, timestep, step: 0 }, variant);
    const loss = contrastiveLoss(labelled(conceptMaps(outputs, options, 0)));
    if (loss < best.loss) best = { latent, loss };
  }
  if (Number.isFinite(best.loss)) return best.latent;
  throw new ImpastoError(
    'NAN_LATENT',
    'The attention maps hold values that are no numbers.',
    'The weights overflow in half precision: use an fp32 or bf16 version of the model.',
  );
}

const sizeOf = ({ level, sizes }: CloraOptions['maps']) => sizes[level] as LevelSizes[number];
