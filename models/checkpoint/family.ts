import { ImpastoError } from '../../contract/errors.ts';
import type { Checkpoint, Family } from './checkpoint.ts';
import type { SchedulerConfig, TextEncoderConfig, UNetConfig } from './component-config.ts';

/**
 * SDXL adds a size-and-pooled-text embedding; SD2 projects its transformers linearly where SD1 does by 1x1 convs. Each
 * holds at any size.
 */
export function familyOf(unet: Pick<UNetConfig, 'addition' | 'useLinearProjection'>): Family {
  if (unet.addition) return 'sdxl';
  return unet.useLinearProjection ? 'sd2' : 'sd1';
}

export const familyTitles: Record<Family, string> = {
  sd1: 'Stable Diffusion 1.x',
  sd2: 'Stable Diffusion 2.x',
  sdxl: 'Stable Diffusion XL',
};

/** Latent side that the family was trained for: 512, 512 (v-prediction: 768) or 1024 pixels, an eighth of it. */
export function trainedSampleSize(family: Family, predictionType: string): number {
  if (family === 'sdxl') return 128;
  return family === 'sd2' && predictionType === 'v_prediction' ? 96 : 64;
}

/**
 * The variant. Inpaint models take the mask and the masked picture behind the latent; LCM ones embed the guidance scale;
 * Turbo is told by its scheduler alone (an Euler sampler with trailing steps and no zero-SNR betas), so never from a
 * single file, where it runs as a base model with few steps and no guidance.
 */
export function variantOf(unet: UNetConfig, scheduler: SchedulerConfig): Checkpoint['variant'] {
  if (unet.inChannels === 2 * unet.outChannels + 1) return 'inpaint';
  if (unet.timeCondProjDim !== null || scheduler.className === 'LCMScheduler') return 'lcm';
  const trailing = scheduler.spacing === 'trailing' && !scheduler.rescaleBetasZeroSnr;
  return trailing && /^Euler/.test(scheduler.className ?? '') && scheduler.predictionType === 'epsilon'
    ? 'turbo'
    : 'base';
}

/** How many text encoders condition a family's UNet. */
export function textEncodersOf(family: Family): number {
  return family === 'sdxl' ? 2 : 1;
}

export function unknownArchitecture(what: string): ImpastoError {
  return new ImpastoError(
    'UNKNOWN_ARCHITECTURE',
    `${what}.`,
    'Impasto draws with SD 1.x, SD 2.x and SDXL checkpoints.',
  );
}

/** Checks that the networks fit together; each thing that does not is an error, none is thrown. */
export function fitTogether(
  source: string,
  family: Family,
  unet: UNetConfig,
  latentChannels: number | null,
  text: readonly TextEncoderConfig[],
): ImpastoError[] {
  const problems: ImpastoError[] = [];
  const refuse = (why: string): void => {
    problems.push(unknownArchitecture(`${source}: ${why}`));
  };
  const latent = unet.outChannels;
  if (latentChannels !== null && latentChannels !== latent) {
    refuse(`the UNet gives ${latent} channels, the VAE decodes ${latentChannels}`);
  } else if (unet.inChannels !== latent && unet.inChannels !== 2 * latent + 1) {
    const known: Record<number, string> = {
      5: ' (a depth-to-image model has that)',
      7: ' (an upscaler has that)',
      8: ' (an InstructPix2Pix model has that)',
    };
    refuse(
      `the UNet takes ${unet.inChannels} channels${known[unet.inChannels] ?? ''}, not ${latent} or, for inpainting, ${2 * latent + 1}`,
    );
  }
  const width = text.reduce((sum, encoder) => sum + encoder.hiddenSize, 0);
  if (text.length === textEncodersOf(family) && width !== unet.crossAttentionDim) {
    refuse(`the UNet reads text of ${unet.crossAttentionDim} channels, the text encoder gives ${width}`);
  }
  return problems;
}
