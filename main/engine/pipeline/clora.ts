import { ImpastoError } from '../../../contract/errors.ts';
import type { Composition as CompositionSettings } from '../../../contract/request.ts';
import type { LevelSizes } from '../adapters/gates.ts';
import type { LatentShape } from '../model/conditioning.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
import type { ConceptTokens } from './composition.ts';
import { closed, conceptMask, maskShares, nearest } from './concept-masks.ts';
import { contrastiveLoss, type LabelledMap } from './contrastive-loss.ts';
import {
  type DrawingMethod,
  drawStep,
  guidedPrediction,
  type PredictorOptions,
  type StepOutputs,
} from './predictor.ts';

/**
 * CLoRA (Meral et al. 2024): each concept's adapters draw every step on their own, the plain model too, and count where
 * the attention maps of their own run show the concept. Forward-only, as the authors' code runs without latent updates;
 * of several noises the one whose maps keep the concepts apart best at the first step may be chosen.
 */
export interface CloraOptions extends PredictorOptions {
  settings: CompositionSettings;
  concepts: ConceptTokens;
  /** The UNet's output of maps, and the sizes of its levels. */
  maps: { output: string; level: number; sizes: LevelSizes };
  shape: LatentShape;
  scheduler: Scheduler;
}

export function clora(options: CloraOptions): DrawingMethod {
  return {
    predict: async (at) => {
      const outputs = await drawStep(options, at);
      const maps = conceptMaps(outputs, options, at.step);
      return { prediction: guidedPrediction(outputs, options.guidance, shares(maps, options)) };
    },
    ...(options.settings.screen > 1 ? { begin: (start, another) => screened(start, another, options) } : {}),
  };
}

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

/** Each part's share of the latent's cells, by the maps of its own concept. */
function shares(maps: readonly Float32Array[][][], options: CloraOptions): Float32Array[] {
  const { settings, concepts, shape } = options;
  const size = sizeOf(options.maps);
  const [, height, width] = shape;
  const masks = concepts.ofPart.slice(1).map((concept, index) => {
    const own = maps[index + 1]?.[concept as number] as Float32Array[];
    const mask = conceptMask(own, settings.threshold);
    return nearest(settings.closeMasks ? closed(mask, size) : mask, size, { height, width });
  });
  return maskShares(masks);
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
  const { scheduler, shape, settings, composition } = options;
  const timestep = scheduler.timesteps[0];
  if (timestep === undefined) return start;
  const variant = { ...composition.variant, maps: { level: options.maps.level, alone: true } };
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
