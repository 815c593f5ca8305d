import type { Click } from '../../../contract/click-select.ts';
import { ImpastoError } from '../../../contract/errors.ts';

/** @throws ImpastoError `MASK_INVALID` where no click is inside of anything, or one lies beyond the picture */
export function assertClicks(clicks: readonly Click[], { width, height }: { width: number; height: number }): void {
  const beyond = clicks.find(({ x, y }) => !(x >= 0 && x < width && y >= 0 && y < height));
  if (!beyond && clicks.some(({ inside }) => inside)) return;
  throw new ImpastoError(
    'MASK_INVALID',
    beyond
      ? `The click at ${beyond.x}, ${beyond.y} is not within ${width}x${height}.`
      : 'No click is inside of anything.',
    'Click on what is to be selected.',
  );
}
