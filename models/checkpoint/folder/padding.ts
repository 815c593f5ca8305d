import type { Family } from '../checkpoint.ts';

/** End of text in CLIP's vocabulary. */
const endOfText = 49407;

/**
 * The padding token of a family's text encoder where nothing says otherwise: CLIP-L pads with end of text; OpenCLIP
 * (SD2's, and SDXL's second) with `!`, which is 0.
 */
export function standardPadding(family: Family, encoder: number): number {
  return family === 'sd2' || encoder === 1 ? 0 : endOfText;
}
