/** RGB, row by row, interleaved, in [0, 1]; length width*height*3. A `RenderedImage` is one. */
export interface Pixels {
  width: number;
  height: number;
  pixels: Float32Array;
}

/**
 * The model's input [1, 3, height, width] in [-1, 1] from interleaved RGB in [0, 1], in float32 as
 * `2 * (x / 255) - 1` is computed by diffusers' VaeImageProcessor.
 */
export function toTensor({ width, height, pixels }: Pixels): Float32Array {
  const plane = width * height;
  const tensor = new Float32Array(plane * 3);
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 0; i < plane; i++) tensor[channel * plane + i] = 2 * (pixels[i * 3 + channel] as number) - 1;
  }
  return tensor;
}

/** Interleaved RGB in [0, 1], clamped, from one decoded picture [3, height, width] in [-1, 1]. */
export function fromTensor(tensor: Float32Array, width: number, height: number): Pixels {
  const plane = width * height;
  const pixels = new Float32Array(plane * 3);
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 0; i < plane; i++) {
      const value = (tensor[channel * plane + i] as number) / 2 + 0.5;
      pixels[i * 3 + channel] = value < 0 ? 0 : Math.min(value, 1);
    }
  }
  return { width, height, pixels };
}
