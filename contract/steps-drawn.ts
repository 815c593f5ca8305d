/**
 * The fewest steps of which a strength draws one: of N steps the last N times the strength are drawn, rounded down.
 * @param strength above 0
 */
export function stepsForOne(strength: number): number {
  return Math.ceil(1 / strength);
}
