interface Sized {
  width: number;
  height: number;
}

/** True where both have the same proportions but for the rounding of a side to whole pixels. */
export function sameProportions(a: Sized, b: Sized): boolean {
  return Math.abs(a.width * b.height - b.width * a.height) <= Math.max(a.width, a.height, b.width, b.height);
}
