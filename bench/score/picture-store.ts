import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { RenderRequest } from '../../contract/request.ts';
import { writeFileAtomic } from '../../main/library/files/atomic-write.ts';
import { decodePicture, encodePng, type Picture } from './picture.ts';

/** What a picture cost, what the engine measured as it drew it, and the state of the code that did. */
const PictureFacts = z.object({
  unetRows: z.number(),
  seconds: z.number(),
  measured: z.record(z.string(), z.number()).default({}),
  code: z.string(),
});
export type PictureFacts = z.infer<typeof PictureFacts>;

export interface DrawnPicture extends PictureFacts {
  picture: Picture;
}

/** Pictures that are drawn already, in a folder: a run that was stopped goes on where it was. */
export class PictureStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Null where it is not drawn yet, or was only half written. */
  async get(key: string): Promise<DrawnPicture | null> {
    let text: string;
    try {
      text = await readFile(join(this.#folder, `${key}.json`), 'utf8');
    } catch {
      return null;
    }
    const facts = PictureFacts.parse(JSON.parse(text));
    return { ...facts, picture: await decodePicture(join(this.#folder, `${key}.png`)) };
  }

  /** The facts are written last: where they are, the picture is whole. */
  async put(key: string, request: RenderRequest, drawn: DrawnPicture): Promise<void> {
    const { picture, ...facts } = drawn;
    await writeFileAtomic(join(this.#folder, `${key}.png`), await encodePng(picture), { overwrite: true });
    const text = `${JSON.stringify({ ...facts, request }, null, 1)}\n`;
    await writeFileAtomic(join(this.#folder, `${key}.json`), Buffer.from(text), { overwrite: true });
  }
}
