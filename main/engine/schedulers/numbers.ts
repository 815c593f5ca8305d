/**
 * Small numeric helpers that agree with numpy to the last bit where a schedule's timesteps depend on it.
 */

/** `values[index]`, which must exist. */
export function at(values: ArrayLike<number>, index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`index ${index} lies outside a table of ${values.length}`);
  return value;
}

/** `count` values evenly from `start` to `stop`, both included; one value is `start`. As `numpy.linspace`. */
export function linspace(start: number, stop: number, count: number): number[] {
  if (count === 1) return [start];
  const step = (stop - start) / (count - 1);
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? stop : i * step + start));
}

/** The nearest integer, a half to the even one, as numpy and torch round. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** `table` read at a fractional index, linear between neighbours and constant beyond the ends. As `numpy.interp`. */
export function interpolate(table: ArrayLike<number>, index: number): number {
  const last = table.length - 1;
  if (index <= 0) return at(table, 0);
  if (index >= last) return at(table, last);
  const below = Math.floor(index);
  const low = at(table, below);
  return low + (at(table, below + 1) - low) * (index - below);
}
