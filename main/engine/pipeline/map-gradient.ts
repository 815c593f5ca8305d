import type { UNetVariant } from '../adapters/graph-variants.ts';
import type { UNetNetwork } from '../model/unet-network.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
import type { PlannedRow, StepPart } from './composition.ts';
import type { StepInput } from './predictor.ts';

/** The derivatives of a loss with respect to an attention map that a row gives, by the output's name. */
export type MapCotangents = Readonly<Record<string, { data: Float32Array; shape: readonly number[] }>>;

/** A row and what a loss makes of its maps. */
export interface RowCotangents {
  row: StepPart['positive'];
  cotangents: MapCotangents;
}

export interface MapGradientOptions {
  unet: UNetNetwork;
  /** A variant with maps at the level that the cotangents are of. */
  variant: UNetVariant;
  /** The guidance embedding of LCM models. */
  guidance?: Float32Array | undefined;
}

/**
 * The gradient of a loss on attention maps to the latent as the network sees it, summed over the rows that the loss looks
 * at: the vector-Jacobian product of the graph's own derivative (`models/autodiff`), one run a row.
 */
export async function mapGradient(
  at: Pick<StepInput, 'input' | 'shape' | 'timestep'>,
  rows: readonly RowCotangents[],
  { unet, variant, guidance }: MapGradientOptions,
): Promise<Float32Array> {
  if (!variant.maps) throw new Error('a gradient of maps that the variant does not have');
  const given = await unet.call({
    latent: at.input,
    shape: at.shape,
    timestep: at.timestep,
    rows: rows.map(({ row, cotangents }) => withCotangents(row, cotangents)),
    variant: { ...variant, maps: { ...variant.maps, alone: true, gradient: true } },
    guidance,
  });
  const sum = new Float32Array(at.input.length);
  for (const outputs of given) {
    const gradient = outputs['gradient/sample'] as Float32Array;
    for (const [index, value] of gradient.entries()) sum[index] = (sum[index] as number) + value;
  }
  return sum;
}

function withCotangents({ conditioning, inputs }: PlannedRow, cotangents: MapCotangents): PlannedRow {
  const named = Object.entries(cotangents).map(([name, tensor]) => [`cotangent/${name}`, tensor] as const);
  return { conditioning, inputs: { ...inputs, ...Object.fromEntries(named) } };
}

/**
 * Moves the latent against a gradient, by `rate` as the network sees it: schedulers that scale what they give the network
 * keep the latent at another size.
 */
export function moved<At extends Pick<StepInput, 'input' | 'latent' | 'call'>>(
  at: At,
  gradient: Float32Array,
  rate: number,
  scheduler: Scheduler,
): At {
  const scale = scheduler.scaleModelInput(Float32Array.of(1), at.call)[0] as number;
  const latent = at.latent.map((value, index) => value - (rate / scale) * (gradient[index] as number));
  // Further channels of an inpaint model lie behind those of the latent, and stay.
  const input = at.input.slice();
  input.set(scheduler.scaleModelInput(latent, at.call));
  return { ...at, latent, input };
}
