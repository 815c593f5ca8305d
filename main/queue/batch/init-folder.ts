import { readdirSync } from 'node:fs';
import { extname, join, resolve } from 'node:path';
import { ImpastoError } from '../../../contract/errors.ts';

const pictureExtensions = new Set(['.png', '.jpg', '.jpeg', '.webp', '.avif', '.tif', '.tiff']);

/**
 * The pictures of a folder, by name as a person sorts them (2 before 10). Folders inside it are not entered.
 * @throws ImpastoError `FILE_NOT_FOUND` where there is no such folder or no picture in it
 */
export function picturesIn(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name);
  } catch (thrown) {
    throw new ImpastoError('FILE_NOT_FOUND', `The folder ${folder} cannot be read.`, 'Choose another folder.', {
      cause: thrown,
    });
  }
  const order = new Intl.Collator('en', { numeric: true });
  const pictures = names
    .filter((name) => pictureExtensions.has(extname(name).toLowerCase()))
    .sort(order.compare)
    .map((name) => resolve(join(folder, name)));
  if (pictures.length > 0) return pictures;
  throw new ImpastoError(
    'FILE_NOT_FOUND',
    `There is no picture in ${folder}.`,
    'Choose a folder with PNG, JPEG, WebP, AVIF or TIFF files.',
  );
}
