import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { autoV2 } from '../../models/checkpoint/hash.ts';
import { exportImage } from '../library/export/export-image.ts';
import { writeFileAtomic } from '../library/files/atomic-write.ts';
import type { PictureWriter } from '../queue/runner/picture-writer.ts';

/** Hashes of models by file, size and time: reading some GB is not done twice. */
const hashes = new Map<string, Promise<string | undefined>>();

/** Writes the queue's pictures with the library's export. */
export const libraryWriter: PictureWriter = {
  async writePicture(image, summary, { output, reserve }) {
    const modelHash = summary.modelHash ?? (output.metadata ? await modelHashOf(summary.request.model) : undefined);
    return exportImage(image, modelHash ? { ...summary, modelHash } : summary, output, { beforeName: reserve });
  },
  async writeSheet(png, name, { output, reserve }) {
    const path = await writeFileAtomic(join(output.folder, `${name}.png`), png, { beforeName: reserve });
    return { path, warnings: [] };
  },
};

/** The hash by which A1111 and Civitai know a model that is one file; undefined for any other. */
async function modelHashOf(model: string): Promise<string | undefined> {
  const file = model === 'demo' ? undefined : await stat(model).catch(() => undefined);
  if (!file?.isFile()) return undefined;
  const key = `${model}\n${file.size}\n${file.mtimeMs}`;
  let hash = hashes.get(key);
  if (!hash) {
    // A picture is worth more than its model's hash.
    hash = autoV2(model).catch(() => undefined);
    hashes.set(key, hash);
  }
  return hash;
}
