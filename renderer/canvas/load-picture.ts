import { ImpastoError } from '../../contract/errors.ts';
import { tellError } from '../state/notices.ts';

/** A picture, decoded and ready to be drawn; null where it cannot be had, which is told. */
export async function loadPicture(url: string): Promise<HTMLImageElement | null> {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return image;
  } catch (thrown) {
    tellError(
      new ImpastoError('IMAGE_UNREADABLE', 'This picture cannot be shown.', 'It may have been moved or deleted.', {
        cause: thrown,
      }),
    );
    return null;
  }
}
