import { ImpastoError } from '../../../contract/errors.ts';
import type { LatentShape } from '../model/conditioning.ts';
import type { UNetNetwork } from '../model/unet-network.ts';
import type { DrawNoise, Scheduler } from '../schedulers/scheduler.ts';
import type { Predictor } from './predictor.ts';

/** What keeps the part outside a mask. */
export type Inpaint =
  /** A 9-channel model: mask [h, w] and the masked picture's latent are inputs of the UNet. */
  | { kind: 'channels'; mask: Float32Array; maskedLatent: Float32Array }
  /** Any model: after each step, what is outside the mask becomes the picture's latent at that step's noise. */
  | { kind: 'latent'; mask: Float32Array; original: Float32Array; noise: Float32Array }
  /** After each call, what is outside the mask becomes what is known of the picture's own way. */
  | { kind: 'trajectory'; mask: Float32Array; known: (call: number) => Float32Array };

export interface DenoiseOptions {
  unet: UNetNetwork;
  scheduler: Scheduler;
  predict: Predictor;
  /** Steps of the request, of which image-to-image runs the last. */
  steps: number;
  inpaint: Inpaint | null;
  drawNoise: DrawNoise;
  /** What the first UNet calls are known to predict: they are not computed again. */
  replay?: readonly Float32Array[];
  /** Hears what each call that was computed predicted, where that is all that it decided. */
  onPrediction?: (prediction: Float32Array) => void;
  /** Called after each UNet call with the latent so far; it may throw to stop. */
  onStep: (call: number, latent: Float32Array) => Promise<void>;
}

/**
 * Runs the scheduler's trajectory from a noisy latent to a clean one.
 * @param start [channels, h, w]
 * @throws ImpastoError `NAN_LATENT` where the network gives no numbers
 */
export async function denoise(start: Float32Array, shape: LatentShape, options: DenoiseOptions): Promise<Float32Array> {
  const { unet, scheduler, inpaint, drawNoise } = options;
  const [, height, width] = shape;
  const calls = scheduler.timesteps.length;
  let latent = start;
  for (let call = 0; call < calls; call++) {
    const scaled = scheduler.scaleModelInput(latent, call);
    const input = inpaint?.kind === 'channels' ? joined(scaled, inpaint.mask, inpaint.maskedLatent) : scaled;
    const inputShape: LatentShape = [input.length / (height * width), height, width];
    const known = options.replay?.[call];
    let prediction = known;
    if (!prediction) {
      // Schedules and intervals count steps; a scheduler of second order calls the network twice a step.
      const step = Math.floor((call * options.steps) / calls);
      const timestep = scheduler.timesteps[call] as number;
      const predicted = await options.predict({ input, shape: inputShape, latent, timestep, step, call });
      prediction = predicted.prediction;
      if (predicted.latent) latent = predicted.latent;
      else options.onPrediction?.(prediction);
    }
    if (unet.config.outChannels * height * width !== latent.length) throw channelMismatch(unet, shape);
    latent = scheduler.step(prediction, call, latent, drawNoise);
    if (inpaint && inpaint.kind !== 'channels') latent = keepOutside(latent, inpaint, call, scheduler);
    assertNumbers(latent, call, calls);
    await options.onStep(call, latent);
  }
  return latent;
}

function keepOutside(
  latent: Float32Array,
  inpaint: Exclude<Inpaint, { kind: 'channels' }>,
  call: number,
  scheduler: Scheduler,
): Float32Array {
  const known = inpaint.kind === 'trajectory' ? inpaint.known(call) : noised(inpaint, call, scheduler);
  const plane = inpaint.mask.length;
  return latent.map((value, index) => {
    const drawn = inpaint.mask[index % plane] as number;
    return (1 - drawn) * (known[index] as number) + drawn * value;
  });
}

function noised({ original, noise }: Inpaint & { kind: 'latent' }, call: number, scheduler: Scheduler): Float32Array {
  const last = call + 1 >= scheduler.timesteps.length;
  return last ? original : scheduler.addNoise(original, noise, call + 1);
}

function joined(...parts: Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function assertNumbers(latent: Float32Array, call: number, calls: number): void {
  if (latent.every(Number.isFinite)) return;
  throw new ImpastoError(
    'NAN_LATENT',
    `The latent is no longer a number after step ${call + 1} of ${calls}.`,
    call === 0
      ? 'The weights hold values that are no numbers, or overflow in half precision: check the download, or use an fp32 or bf16 version of the model.'
      : 'Guidance is too strong or the prediction type is wrong: lower the guidance scale, or set the prediction type to v_prediction or epsilon.',
  );
}

function channelMismatch(unet: UNetNetwork, shape: LatentShape): ImpastoError {
  return new ImpastoError(
    'CONFIG_INVALID',
    `The UNet predicts ${unet.config.outChannels} channels, and the VAE's latents have ${shape[0]}.`,
    'The UNet and the VAE do not belong together: choose another VAE.',
  );
}
