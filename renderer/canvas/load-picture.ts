import { ImpastoError } from '../../contract/errors.ts';
import { tellError } from '../state/notices.ts';

/**
 * A picture, decoded and ready to be drawn; null where it cannot be had, which is told.
 * @param unwanted nobody waits for it any more: it is not fetched further, and nothing is told
 */
export async function loadPicture(url: string, unwanted: AbortSignal): Promise<HTMLImageElement | null> {
  const image = new Image();
  const stop = () => image.removeAttribute('src');
  unwanted.addEventListener('abort', stop);
  image.src = url;
  try {
    await image.decode();
    return image;
  } catch (thrown) {
    if (unwanted.aborted) return null;
    tellError(
      new ImpastoError('IMAGE_UNREADABLE', 'This picture cannot be shown.', 'It may have been moved or deleted.', {
        cause: thrown,
      }),
    );
    return null;
  } finally {
    unwanted.removeEventListener('abort', stop);
  }
}
