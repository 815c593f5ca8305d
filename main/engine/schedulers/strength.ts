/**
 * How many of `steps` are left out at the start for an image-to-image strength: at 0.75 of 20 steps the last 15 run.
 * @param strength in [0, 1]; undefined runs all. A strength below 1 / steps leaves out every step.
 */
export function skippedSteps(steps: number, strength: number | undefined): number {
  const run = Math.min(Math.trunc(steps * (strength ?? 1)), steps);
  return Math.max(steps - run, 0);
}
