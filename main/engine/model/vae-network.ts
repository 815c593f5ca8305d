import { ImpastoError } from '../../../contract/errors.ts';
import type { VaeConfig } from '../../../models/checkpoint/component-config.ts';
import { vaeActivations } from '../runtime/memory.ts';
import { float32Data, type Tensor } from '../runtime/tensor.ts';
import type { LatentShape } from './conditioning.ts';
import type { SessionUse } from './session-use.ts';

/** Means and log-variances of a picture's latent, each [channels, height, width], unscaled. */
export interface Posterior {
  mean: Float32Array;
  logVariance: Float32Array | null;
  shape: LatentShape;
}

/** Pixels [3, height, width] in about [-1, 1]. */
export interface Planes {
  data: Float32Array;
  height: number;
  width: number;
}

/** The autoencoder: pixels to latents and back, one picture at a time. */
export class VaeNetwork {
  readonly config: VaeConfig;
  readonly #encoder: SessionUse | null;
  readonly #decoder: SessionUse;

  constructor(config: VaeConfig, encoder: SessionUse | null, decoder: SessionUse) {
    this.config = config;
    this.#encoder = encoder;
    this.#decoder = decoder;
  }

  /** Pixels a side of a latent cell. */
  get factor(): number {
    return 2 ** (this.config.blockOutChannels.length - 1);
  }

  /** Channels of the second block, which meets the picture at full size. */
  get fullSizeChannels(): number {
    const { blockOutChannels } = this.config;
    return blockOutChannels[Math.min(1, blockOutChannels.length - 1)] as number;
  }

  /** @throws ImpastoError `PART_MISSING` where the model has no encoder */
  async encode(pixels: Planes): Promise<Posterior> {
    if (!this.#encoder) {
      throw new ImpastoError(
        'PART_MISSING',
        'This model has no VAE encoder, which image-to-image and inpainting need.',
        'Choose a VAE for it, or a checkpoint that has one.',
      );
    }
    const feed: Tensor = { data: pixels.data, shape: [1, 3, pixels.height, pixels.width] };
    const outputs = await this.#encoder(this.#working(pixels), (session) => session.run({ sample: feed }));
    const output = outputs.latent_parameters ?? outputs.latent_sample ?? (Object.values(outputs)[0] as Tensor);
    const data = float32Data(output);
    const [, channels, height, width] = output.shape as [number, number, number, number];
    const latentChannels = this.config.latentChannels;
    const size = latentChannels * height * width;
    return {
      mean: data.slice(0, size),
      logVariance: channels === 2 * latentChannels ? data.slice(size, 2 * size) : null,
      shape: [latentChannels, height, width],
    };
  }

  /** @param latent [channels, height, width], unscaled */
  async decode(latent: Float32Array, shape: LatentShape): Promise<Planes> {
    const feed: Tensor = { data: latent, shape: [1, ...shape] };
    const size = { height: shape[1] * this.factor, width: shape[2] * this.factor };
    const outputs = await this.#decoder(this.#working(size), (session) => session.run({ latent_sample: feed }));
    const output = outputs.sample ?? (Object.values(outputs)[0] as Tensor);
    const [, , height, width] = output.shape as [number, number, number, number];
    return { data: float32Data(output), height, width };
  }

  #working({ height, width }: Pick<Planes, 'height' | 'width'>): number {
    return vaeActivations({ height, width, vaeChannels: this.fullSizeChannels });
  }
}
