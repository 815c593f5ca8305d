import { join } from 'node:path';
import { exportImage } from '../library/export/export-image.ts';
import { writeFileAtomic } from '../library/files/atomic-write.ts';
import { requestHashes } from '../library/metadata/request-hashes.ts';
import type { PictureWriter } from '../queue/runner/picture-writer.ts';

/** Writes the queue's pictures with the library's export. */
export const libraryWriter: PictureWriter = {
  async writePicture(image, summary, { output, reserve }) {
    const hashes = output.metadata ? await requestHashes(summary.request) : {};
    return exportImage(image, { ...hashes, ...summary }, output, { beforeName: reserve });
  },
  async writeSheet(png, name, { output, reserve }) {
    const path = await writeFileAtomic(join(output.folder, `${name}.png`), png, { beforeName: reserve });
    return { path, warnings: [] };
  },
};
