import { isAbsolute, relative, resolve, sep } from 'node:path';
import { ImpastoError } from '../../contract/errors.ts';
import type { ExportOptions } from '../../contract/export.ts';

/**
 * Export options with an absolute folder; a relative one lies inside the pictures folder.
 * @throws ImpastoError `PATH_ESCAPES`
 */
export function outputFolder(output: ExportOptions, pictures: string): ExportOptions {
  if (output.folder.includes('\0')) throw escapes(output.folder);
  if (isAbsolute(output.folder)) return output;
  const folder = resolve(pictures, output.folder);
  const below = relative(pictures, folder);
  if (below === '..' || below.startsWith(`..${sep}`) || isAbsolute(below)) throw escapes(output.folder);
  return { ...output, folder };
}

function escapes(folder: string): ImpastoError {
  return new ImpastoError(
    'PATH_ESCAPES',
    `The folder ${JSON.stringify(folder)} leads out of the pictures folder.`,
    'Name a folder inside it, or give the whole path.',
  );
}
