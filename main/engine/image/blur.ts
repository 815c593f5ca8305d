/**
 * Gaussian blur by three extended box filters (Gwosdek et al. 2011, "Theoretical foundations of Gaussian convolution
 * by extended box filtering"): its time does not grow with sigma. Edges are replicated.
 */

const passes = 3;

/**
 * Blurs [height, width, channels], interleaved, in place.
 * @param sigma Standard deviation in pixels; 0 or less leaves the samples as they are.
 */
export function gaussianBlur(
  samples: Float32Array,
  width: number,
  height: number,
  sigma: number,
  channels = 1,
): Float32Array {
  if (sigma <= 0) return samples;
  const radius = boxRadius(sigma);
  let line = new Float64Array(Math.max(width, height));
  let blurred = new Float64Array(line.length);
  const blurLine = (start: number, step: number, length: number) => {
    for (let i = 0; i < length; i++) line[i] = samples[start + i * step] as number;
    for (let pass = 0; pass < passes; pass++) {
      boxBlur(line, blurred, length, radius);
      [line, blurred] = [blurred, line];
    }
    for (let i = 0; i < length; i++) samples[start + i * step] = line[i] as number;
  };
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < height; y++) blurLine(y * width * channels + channel, channels, width);
    for (let x = 0; x < width; x++) blurLine(x * channels + channel, width * channels, height);
  }
  return samples;
}

/** The fractional radius of a box whose `passes`-fold application has the variance sigma^2. */
function boxRadius(sigma: number): number {
  const variance = (sigma * sigma) / passes;
  const whole = Math.floor((Math.sqrt(12 * variance + 1) - 1) / 2);
  const part = ((2 * whole + 1) * (whole * (whole + 1) - 3 * variance)) / (6 * (variance - (whole + 1) ** 2));
  return whole + part;
}

function boxBlur(source: Float64Array, target: Float64Array, length: number, radius: number): void {
  const whole = Math.floor(radius);
  const part = radius - whole;
  const share = 1 / (2 * radius + 1);
  const at = (i: number) => source[i < 0 ? 0 : i >= length ? length - 1 : i] as number;
  let sum = 0;
  for (let i = -whole; i <= whole; i++) sum += at(i);
  for (let i = 0; i < length; i++) {
    target[i] = share * (sum + part * (at(i - whole - 1) + at(i + whole + 1)));
    sum += at(i + whole + 1) - at(i - whole);
  }
}
