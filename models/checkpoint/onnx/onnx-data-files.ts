import { basename, dirname } from 'node:path';
import { ImpastoError } from '../../../contract/errors.ts';
import { containedPath, fileSize } from '../folder/folder-files.ts';
import type { OnnxHeader } from './onnx-header.ts';

/**
 * The files beside an ONNX model that hold its weights.
 * @param title of the part, for errors
 * @throws ImpastoError `PATH_ESCAPES` for a name that leads out of the folder, `PART_MISSING` where one is not there
 */
export async function onnxDataFiles(
  path: string,
  header: OnnxHeader,
  title: string,
): Promise<{ path: string; bytes: number }[]> {
  const files: { path: string; bytes: number }[] = [];
  for (const name of header.externalFiles) {
    const data = containedPath(dirname(path), name, path);
    const bytes = await fileSize(data);
    if (bytes === null) {
      throw new ImpastoError(
        'PART_MISSING',
        `${data} is missing: it holds the weights of the ${title}.`,
        `Get the data file that belongs to ${basename(path)}; the two are always moved together.`,
      );
    }
    files.push({ path: data, bytes });
  }
  return files;
}
