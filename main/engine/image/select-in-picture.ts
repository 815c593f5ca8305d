import type { Click } from '../../../contract/click-select.ts';
import { loadImage } from './load-image.ts';
import { selectByClick } from './select-by-click.ts';
import { clickedOn, type Selection, toSelection } from './selection.ts';

/**
 * Selects by clicks in a picture file, by its edges alone. @param clicks in pixels of the picture as it is shown
 * @throws ImpastoError `MASK_INVALID` for clicks beyond it or none inside, and what reading a picture throws
 */
export async function selectInPicture({
  path,
  clicks,
  edges,
  border,
}: {
  path: string;
  clicks: readonly Click[];
  edges: number;
  border: boolean;
}): Promise<Selection> {
  const clicked = await clickedOn(path, clicks);
  const { width, height } = clicked;
  const picture = await loadImage(path, { width, height });
  return toSelection(selectByClick(picture, clicked.clicks, { edges, border }), width, height);
}
