/** Shapes of a picture, width to height. */
export const shapes = [
  { name: 'Square', ratio: [1, 1] },
  { name: 'Portrait', ratio: [3, 4] },
  { name: 'Tall', ratio: [9, 16] },
  { name: 'Landscape', ratio: [4, 3] },
  { name: 'Wide', ratio: [16, 9] },
] as const;

/**
 * A size of about as many pixels as a square of `side`, each side a multiple of 8 (of 64 where it is large enough that
 * UNets halve it without a remainder).
 */
export function sizeOf([across, down]: readonly [number, number], side: number): { width: number; height: number } {
  const unit = side >= 512 ? 64 : 8;
  const round = (pixels: number) => Math.max(8, Math.round(pixels / unit) * unit);
  const root = Math.sqrt(across / down);
  return { width: round(side * root), height: round(side / root) };
}

/** The shape that a size has, if it is one of them. */
export function shapeOf(width: number, height: number, side: number): string | null {
  for (const { name, ratio } of shapes) {
    const size = sizeOf(ratio, side);
    if (size.width === width && size.height === height) return name;
  }
  return null;
}
