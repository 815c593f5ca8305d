import { resampleLinear } from '../image/resample.ts';
import { type Tensor, tensor } from '../runtime/tensor.ts';

/** ImageNet's mean and standard deviation of red, green and blue in [0, 255], with which SAM was trained. */
const mean = [123.675, 116.28, 103.53] as const;
const deviation = [58.395, 57.12, 57.375] as const;

export interface Size {
  width: number;
  height: number;
}

/** The size at which a SAM sees a picture: its longer side is `side`, and the rest of the square is empty. */
export function sizeWithin({ width, height }: Size, side: number): Size {
  const scale = side / Math.max(width, height);
  return {
    width: Math.max(1, Math.floor(width * scale + 0.5)),
    height: Math.max(1, Math.floor(height * scale + 0.5)),
  };
}

/**
 * A picture as a SAM's encoder takes it, scaled as Meta's `ResizeLongestSide` does by Pillow.
 * @param samples interleaved RGB
 * @param takes `planes`: [1, 3, side, side], normalised, 0 beyond the picture; `rows`: [height, width, 3] in [0, 255]
 */
export function pictureInput(
  { width, height, samples }: Size & { samples: Uint8Array | Uint16Array },
  side: number,
  takes: 'planes' | 'rows',
): Tensor {
  const inner = sizeWithin({ width, height }, side);
  const scaled = resampleLinear(samples, { width, height, channels: 3 }, inner.width, inner.height);
  const unit = scaled instanceof Uint16Array ? 255 / 65535 : 1;
  if (takes === 'rows') {
    return tensor(
      Float32Array.from(scaled, (value) => value * unit),
      [inner.height, inner.width, 3],
    );
  }
  const planes = new Float32Array(3 * side * side);
  for (let channel = 0; channel < 3; channel++) {
    const [middle, spread] = [mean[channel] as number, deviation[channel] as number];
    for (let y = 0; y < inner.height; y++) {
      const to = (channel * side + y) * side;
      const from = y * inner.width * 3 + channel;
      for (let x = 0; x < inner.width; x++) {
        planes[to + x] = ((scaled[from + x * 3] as number) * unit - middle) / spread;
      }
    }
  }
  return tensor(planes, [1, 3, side, side]);
}
