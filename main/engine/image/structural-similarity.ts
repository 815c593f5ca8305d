import type { Pixels } from './pixels.ts';

/** Of Wang et al. 2004, for values in [0, 1]. */
const sigma = 1.5;
const radius = 5;
const c1 = 0.01 ** 2;
const c2 = 0.03 ** 2;

/** Pixels a side that a picture needs: the window's own. */
export const leastSide = 2 * radius + 1;

/**
 * How much of one picture's structure another has: the structural similarity index (SSIM, Wang et al. 2004) of their luma (BT.601), the
 * mean over every place where a Gaussian window of 11 x 11 lies wholly in the picture. 1: the same luma; about 0: nothing in common.
 * @throws RangeError where the sizes differ, or a side is below {@link leastSide}
 */
export function structuralSimilarity(one: Pixels, other: Pixels): number {
  const { width, height } = one;
  if (other.width !== width || other.height !== height) {
    throw new RangeError(`pictures of ${width}x${height} and ${other.width}x${other.height} have no places in common`);
  }
  if (Math.min(width, height) < leastSide) {
    throw new RangeError(`a picture of ${width}x${height} is smaller than the window of ${leastSide}`);
  }
  const [x, y] = [luma(one), luma(other)];
  const mean = (plane: Float64Array) => windowed(plane, width, height);
  const [meanX, meanY, squareX, squareY, product] = [
    mean(x),
    mean(y),
    mean(times(x, x)),
    mean(times(y, y)),
    mean(times(x, y)),
  ];
  let sum = 0;
  for (const [at, mx] of meanX.entries()) {
    const my = meanY[at] as number;
    const covariance = (product[at] as number) - mx * my;
    const variances = (squareX[at] as number) - mx * mx + (squareY[at] as number) - my * my;
    sum += ((2 * mx * my + c1) * (2 * covariance + c2)) / ((mx * mx + my * my + c1) * (variances + c2));
  }
  return sum / meanX.length;
}

function luma({ pixels }: Pixels): Float64Array {
  return Float64Array.from(
    { length: pixels.length / 3 },
    (_, at) =>
      0.299 * (pixels[3 * at] as number) +
      0.587 * (pixels[3 * at + 1] as number) +
      0.114 * (pixels[3 * at + 2] as number),
  );
}

const times = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, at) => value * (b[at] as number));

/** The window's weights along one side. */
const weights = (() => {
  const bell = Array.from({ length: leastSide }, (_, at) => Math.exp(-((at - radius) ** 2) / (2 * sigma ** 2)));
  const total = bell.reduce((sum, value) => sum + value, 0);
  return bell.map((value) => value / total);
})();

/** The weighted mean in the window at each place where it lies wholly in the plane. */
function windowed(plane: Float64Array, width: number, height: number): Float64Array {
  const across = width - 2 * radius;
  const down = height - 2 * radius;
  const rows = new Float64Array(across * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < across; x++) {
      let sum = 0;
      for (let at = 0; at < leastSide; at++) sum += (weights[at] as number) * (plane[y * width + x + at] as number);
      rows[y * across + x] = sum;
    }
  }
  const result = new Float64Array(across * down);
  for (let y = 0; y < down; y++) {
    for (let x = 0; x < across; x++) {
      let sum = 0;
      for (let at = 0; at < leastSide; at++) sum += (weights[at] as number) * (rows[(y + at) * across + x] as number);
      result[y * across + x] = sum;
    }
  }
  return result;
}
