import { ImpastoError } from '../../contract/errors.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { LayerTensors } from './adapter-keys.ts';
import { type BaseGuess, baseTitles } from './base-family.ts';
import type { ModuleSize } from './delta/layer-values.ts';
import { layerSize } from './layer-shape.ts';
import type { ModuleLookup, Resolved } from './module-lookup.ts';

/** A layer of the file and the module it leads to in the checkpoint; null where there is none. */
export interface PlacedLayer {
  layer: LayerTensors;
  place: (Resolved & { size: ModuleSize }) | null;
}

/** Finds each layer's module. A fused projection's targets count as one module with the rows of all. */
export function placeLayers(layers: readonly LayerTensors[], lookup: ModuleLookup): PlacedLayer[] {
  return layers.map((layer) => {
    const resolved = lookup.resolve(layer.stem);
    const first = resolved?.targets[0];
    if (!resolved || !first) return { layer, place: null };
    const out = resolved.targets.reduce((sum, target) => sum + target.size.out, 0);
    return { layer, place: { ...resolved, size: { ...first.size, out } } };
  });
}

/** An inpainting UNet reads 9 channels where others read 4: there, alone, another input width is mended. */
export function isInputConvolution({ network, targets }: Resolved): boolean {
  return network === 'unet' && targets[0]?.path === 'conv_in';
}

function fits(layer: LayerTensors, place: NonNullable<PlacedLayer['place']>): boolean {
  const { out, input, flat } = layerSize(layer);
  const { size } = place;
  const expected = size.input * (flat ? size.kernel ** 2 : 1);
  const inputFits = input === null || input === expected || isInputConvolution(place);
  return inputFits && (out === null || out === size.out);
}

/**
 * Refuses an adapter of another base. Modules and shapes decide: an adapter that fits in every layer fits, except where
 * its layers are ones that several families share and its metadata names another.
 * @throws ImpastoError `ADAPTER_WRONG_BASE`, or `ADAPTER_INVALID` where a few layers have other shapes, or none is found.
 */
export function refuseWrongBase(placed: readonly PlacedLayer[], guess: BaseGuess, checkpoint: Checkpoint): void {
  const found = placed.filter(({ place }) => place !== null);
  const misfits = found.filter(({ layer, place }) => place !== null && !fits(layer, place));
  const fitting = found.length - misfits.length;
  const model = baseTitles[checkpoint.family];
  const whole = fitting === placed.length;
  const other = guess.title !== null && guess.family !== checkpoint.family;
  if (other && (!whole || guess.from === 'metadata')) {
    const source = guess.from === 'metadata' ? ' (so its metadata says)' : '';
    throw wrongBase(
      `This LoRA is made for ${guess.title}${source}; the model is ${model}.`,
      `Choose a LoRA for ${model}`,
    );
  }
  const [first] = misfits;
  if (first?.place) {
    const { size } = first.place;
    const own = layerSize(first.layer);
    const what = `its layer '${first.layer.stem}' is ${own.out ?? '?'} by ${own.input ?? '?'} where the model's is ${size.out} by ${size.input}`;
    const more = misfits.length > 1 ? ` (and ${misfits.length - 1} more)` : '';
    if (misfits.length >= fitting) {
      throw wrongBase(`This LoRA does not fit ${checkpoint.name}: ${what}${more}.`, 'Choose a LoRA for this model');
    }
    throw new ImpastoError(
      'ADAPTER_INVALID',
      `This LoRA fits ${checkpoint.name} but for ${misfits.length} of ${placed.length} layers: ${what}${more}.`,
      'The file is damaged or was made for a changed model: export it again or get another version.',
    );
  }
  if (fitting === 0) {
    const example = placed[0]?.layer.stem ?? '';
    throw wrongBase(
      `None of this LoRA's ${placed.length} layers is in ${checkpoint.name} (${model}); the first is '${example}'.`,
      `Choose a LoRA for ${model}`,
    );
  }
}

function wrongBase(message: string, remedy: string): ImpastoError {
  return new ImpastoError('ADAPTER_WRONG_BASE', message, `${remedy}, or a model that this one was made for.`);
}
