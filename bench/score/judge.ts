import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ImpastoError } from '../../contract/errors.ts';
import { buildSession, type ModelSession } from '../../main/engine/runtime/session.ts';
import { float32Data, type Tensor } from '../../main/engine/runtime/tensor.ts';
import { areaPlanes, type Box, wholePicture } from './area-planes.ts';
import { type Answer, JudgeDescription, readAnswers } from './judge-answer.ts';
import type { Picture } from './picture.ts';

/** A picture, and the part of it that the judge is to see. */
export interface Look {
  picture: Picture;
  /** Omitted: all of it. */
  box?: Box;
}

/** Side of what the judge sees, in pixels; a larger picture is reduced by area. */
const side = 128;

/** Pictures in one run of it. */
const atOnce = 32;

/** The classifier that says what is in a picture of the demo model's language; it was trained on drawings only. */
export class Judge {
  readonly description: JudgeDescription;
  readonly #session: ModelSession;

  private constructor(session: ModelSession, description: JudgeDescription) {
    this.#session = session;
    this.description = description;
  }

  /**
   * @param folder has `judge.onnx` and `judge.json`
   * @throws ImpastoError `CONFIG_INVALID`, and what building a session throws
   */
  static async open(folder: string): Promise<Judge> {
    const path = join(folder, 'judge.json');
    let description: JudgeDescription;
    try {
      description = JudgeDescription.parse(JSON.parse(await readFile(path, 'utf8')));
    } catch (cause) {
      throw new ImpastoError(
        'CONFIG_INVALID',
        `${path} does not describe a judge.`,
        'Export it again: python judge.py export.',
        { cause },
      );
    }
    const session = await buildSession({ path: join(folder, 'judge.onnx') }, { name: 'judge', provider: 'cpu' });
    return new Judge(session, description);
  }

  async look(looks: readonly Look[]): Promise<Answer[]> {
    const answers: Answer[] = [];
    for (let start = 0; start < looks.length; start += atOnce) {
      const some = looks.slice(start, start + atOnce);
      const pixels = new Float32Array(some.length * 3 * side * side);
      for (const [index, { picture, box }] of some.entries()) {
        pixels.set(areaPlanes(picture, side, box ?? wholePicture), index * 3 * side * side);
      }
      const outputs = await this.#session.run({ pixels: { data: pixels, shape: [some.length, 3, side, side] } });
      const of = (name: string) => float32Data(outputs[name] as Tensor);
      const read = {
        counts: of('counts'),
        colours: of('colours'),
        grounds: of('grounds'),
        styles: of('styles'),
        mixed: of('mixed'),
      };
      answers.push(...readAnswers(read, this.description, some.length));
    }
    return answers;
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}
