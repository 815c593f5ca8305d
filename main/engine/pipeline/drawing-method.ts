import type { LatentShape } from '../model/conditioning.ts';
import type { LoadedModel } from '../model/loaded-model.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
import { clora, type LatentMove } from './clora.ts';
import type { Composition } from './composition.ts';
import type { SizedRequest } from './init-picture.ts';
import { loraComposer } from './lora-composer.ts';
import { type DrawingMethod, partsPredictor } from './predictor.ts';

export interface MethodContext {
  model: LoadedModel;
  composition: Composition;
  shape: LatentShape;
  scheduler: Scheduler;
  /** Hears each move of the latent (CLoRA, exact). */
  onMove?: ((move: LatentMove) => void) | undefined;
}

/** How the pictures of a request are predicted, by the method that it asks for. */
export function drawingMethod(
  request: SizedRequest,
  { model, composition, shape, scheduler, onMove }: MethodContext,
): DrawingMethod {
  const { composition: settings, guidance, steps } = request;
  const options = { unet: model.unet, composition, guidance, steps };
  const { concepts, composed, sizes } = composition;
  if (concepts) {
    return clora({ ...options, settings, concepts, maps: { ...concepts.maps, sizes }, shape, scheduler, onMove });
  }
  if (composed) {
    const { cells, words, mixing } = composed;
    const maps = { ...composed.maps, mixing };
    return loraComposer({ ...options, settings, cells, words, maps, shape, scheduler });
  }
  return { predict: partsPredictor(options) };
}
