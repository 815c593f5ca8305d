import { fitLatentRgb } from '../image/fit-latent-rgb.ts';
import { type LatentPreview, type LatentRgbMap, latentToRgb } from '../image/latent-preview.ts';
import { fromTensor } from '../image/pixels.ts';
import type { LatentShape } from '../model/conditioning.ts';
import type { LoadedModel } from '../model/loaded-model.ts';

/** Block widths of every published Stable Diffusion autoencoder, whose latent-to-RGB maps are known. */
const publishedWidths = '128,256,512,512';

/**
 * Cheap previews of a model's latents: by the published map of its family, or, for an autoencoder of its own, by one
 * fitted to what that decodes a latent to, once a model.
 */
export class LatentPreviews {
  readonly #fitted = new WeakMap<LoadedModel, LatentRgbMap>();

  async of(model: LoadedModel, latent: Float32Array, shape: LatentShape): Promise<LatentPreview> {
    const { vae, checkpoint } = model;
    if (vae.config.blockOutChannels.join() === publishedWidths && vae.config.latentChannels === 4) {
      return latentToRgb(latent, shape, checkpoint.family);
    }
    let map = this.#fitted.get(model);
    if (!map) {
      const unscaled = latent.map((value) => value / vae.config.scalingFactor + vae.config.shiftFactor);
      const { data, width, height } = await vae.decode(unscaled, shape);
      map = fitLatentRgb([{ latent, shape: [...shape] }], [fromTensor(data, width, height)]);
      this.#fitted.set(model, map);
    }
    return latentToRgb(latent, shape, map);
  }
}
