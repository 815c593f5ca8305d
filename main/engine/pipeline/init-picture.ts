import type { EngineWarning } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import { imageSize } from '../image/decode.ts';
import { loadImage } from '../image/load-image.ts';
import { loadMask, maskToLatent } from '../image/mask.ts';
import { applyOutpaint } from '../image/outpaint.ts';
import type { Pixels } from '../image/pixels.ts';
import { toTensor } from '../image/pixels.ts';

/** The picture that a request starts from, at the size that is drawn. */
export interface InitPicture {
  pixels: Pixels;
  /** [3, height, width] in [-1, 1] */
  planes: Float32Array;
  width: number;
  height: number;
  /** [height, width] in [0, 1], 1 is drawn anew; null for plain image-to-image. */
  mask: Float32Array | null;
  /** The mask over latent cells [height/f, width/f]. */
  latentMask: Float32Array | null;
}

/** A request with its size resolved. */
export type SizedRequest = RenderRequest & { width: number; height: number };

/**
 * Fills in the size: as asked, else the init picture's or a style's content's own (rounded down to what the model can draw) with its
 * outpaint margins, else what the model was trained for.
 * @throws ImpastoError `REQUEST_INVALID` where a side is no multiple of 8 or of the VAE's factor
 */
export async function resolveSize(
  request: RenderRequest,
  trained: number,
  factor: number,
  warn: (warning: EngineWarning) => void,
): Promise<SizedRequest> {
  const step = Math.max(8, factor);
  let { width, height } = request;
  const given = request.init?.path ?? request.style?.content;
  if (given !== undefined && (width === undefined || height === undefined)) {
    const size = await imageSize(given);
    const { left, right, top, bottom } = request.outpaint ?? { left: 0, right: 0, top: 0, bottom: 0 };
    const rounded = (side: number) => Math.max(step, Math.floor(side / step) * step);
    width ??= rounded(size.width) + left + right;
    height ??= rounded(size.height) + top + bottom;
    if (rounded(size.width) !== size.width || rounded(size.height) !== size.height) {
      warn({
        code: 'IMAGE_RESIZED',
        message: `The picture ${given} is ${size.width}x${size.height}; it is drawn at ${width}x${height}, since sides must be divisible by ${step}.`,
      });
    }
  }
  width ??= trained;
  height ??= trained;
  for (const side of [width, height]) {
    if (side % step !== 0) {
      throw new ImpastoError(
        'REQUEST_INVALID',
        `A picture of ${width}x${height} cannot be drawn by this model: its sides must be divisible by ${step}.`,
        `Choose sides divisible by ${step}.`,
      );
    }
  }
  return { ...request, width, height };
}

/**
 * Loads the init picture and its mask, extended where the request outpaints; null for text-to-image.
 * @throws ImpastoError `REQUEST_INVALID` where a mask or margins come without a picture
 */
export async function loadInitPicture(
  request: SizedRequest,
  factor: number,
  warn: (warning: EngineWarning) => void,
  signal?: AbortSignal,
): Promise<InitPicture | null> {
  const { init, mask, outpaint, width, height } = request;
  if (!init) {
    if (!mask && !outpaint) return null;
    throw new ImpastoError(
      'REQUEST_INVALID',
      `There is ${mask ? 'a mask' : 'an outpaint frame'} but no picture to use it on.`,
      'Give the picture too (--init FILE).',
    );
  }
  const cancel = signal ? { signal } : {};
  const margins = outpaint ?? { left: 0, top: 0, right: 0, bottom: 0 };
  const inner = { width: width - margins.left - margins.right, height: height - margins.top - margins.bottom };
  if (inner.width < 8 || inner.height < 8) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `The outpaint margins leave no room for the picture in ${width}x${height}.`,
      'Leave out the size, or make it larger than the margins.',
    );
  }
  const picture = await loadImage(init.path, { ...inner, ...cancel });
  for (const warning of picture.warnings) warn(warning);
  let painted: Float32Array | null = null;
  if (mask) {
    const { invert, feather } = mask;
    const loaded = await loadMask(mask.path, { ...inner, picture: picture.source, invert, feather, ...cancel });
    for (const warning of loaded.warnings) warn(warning);
    painted = loaded.mask;
  }
  const extended = Object.values(margins).some((margin) => margin > 0);
  if (extended) {
    const canvas = applyOutpaint(picture, margins, painted ? { mask: painted } : {});
    return {
      pixels: canvas,
      planes: canvas.tensor,
      width,
      height,
      mask: canvas.mask,
      latentMask: maskToLatent(canvas.mask, height, width, factor),
    };
  }
  return {
    pixels: picture,
    planes: toTensor(picture),
    width,
    height,
    mask: painted,
    latentMask: painted && maskToLatent(painted, height, width, factor),
  };
}
