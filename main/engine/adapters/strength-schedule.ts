import type { AdapterRef } from '../../../contract/request.ts';

type Schedule = Pick<AdapterRef, 'steps' | 'curve'>;

/** Does the adapter act when this share of the steps is done? [start, end), and to the last step where end is 1. */
export function actsAt({ steps: [start, end] }: Pick<AdapterRef, 'steps'>, share: number): boolean {
  return share >= start && (share < end || end === 1);
}

/** Factor on the UNet strength at a share of the steps: 0 outside the range, else the curve, linear between points. */
export function scheduleFactor(schedule: Schedule, share: number): number {
  if (!actsAt(schedule, share)) return 0;
  const curve = schedule.curve ?? [];
  const after = curve.findIndex(([at]) => at >= share);
  const next = curve[after];
  const before = curve[after < 0 ? curve.length - 1 : after - 1];
  if (!next) return before?.[1] ?? 1;
  if (!before) return next[1];
  const part = (share - before[0]) / (next[0] - before[0]);
  return before[1] + part * (next[1] - before[1]);
}
