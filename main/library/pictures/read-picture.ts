import { asImpastoError } from '../../../contract/errors.ts';
import type { PictureEntry } from '../../../contract/library.ts';
import { extractExtraNetworks } from '../../../contract/prompt/extra-networks.ts';
import { maxPromptLength } from '../../../contract/request.ts';
import { adapterName } from '../../../models/adapters/adapter-name.ts';
import { imageSize } from '../../engine/image/decode.ts';
import { pictureFormatOf } from '../../engine/image/picture-format.ts';
import { plainModelName } from '../metadata/model-name.ts';
import { type PictureMetadata, readMetadata } from '../metadata/read-metadata.ts';

/** What the index keeps of a picture's content. */
export type PictureFacts = Omit<PictureEntry, 'id' | 'version' | 'path' | 'name' | 'bytes' | 'modified' | 'star'>;

const noFacts: PictureFacts = {
  format: 'unknown',
  width: 0,
  height: 0,
  prompt: '',
  negativePrompt: '',
  model: null,
  modelHash: null,
  adapters: [],
  seed: null,
  steps: null,
  sampler: null,
  source: null,
  warnings: [],
  problem: null,
};

/** Reads a picture's headers and texts, never its pixels. What is wrong with it is in `problem`. */
export async function readPicture(path: string): Promise<PictureFacts> {
  try {
    const format = await pictureFormatOf(path);
    const size = await imageSize(path);
    return { ...noFacts, format, ...size, ...factsOf(await readMetadata(path, { whole: false })) };
  } catch (thrown) {
    return { ...noFacts, problem: asImpastoError(thrown).toRecord() };
  }
}

function factsOf({ request, infotext, model, source, warnings }: PictureMetadata): Partial<PictureFacts> {
  const told = warnings.slice(0, 20).map(({ code, message }) => ({ code, message: text(message, 500) }));
  // A text that Impasto does not understand can still be searched.
  if (!request) return { prompt: text(infotext ?? '', maxPromptLength), warnings: told };
  const name = model?.name ?? fileName(request.model);
  return {
    prompt: text(request.prompt, maxPromptLength),
    negativePrompt: text(request.negativePrompt, maxPromptLength),
    model: text(plainModelName(name), 1000),
    modelHash: model?.hash === undefined ? null : text(model.hash, 64),
    adapters: adaptersOf(request),
    seed: request.seed,
    steps: request.steps,
    sampler: request.scheduler.name,
    source: source ?? null,
    warnings: told,
  };
}

/** Those of the request, and those that the prompt calls. */
function adaptersOf(request: NonNullable<PictureMetadata['request']>): string[] {
  const named = request.adapters.map(({ path, name }) => name ?? adapterName(path));
  const called = extractExtraNetworks(request.prompt).loras.map(({ name }) => name);
  return [...new Set([...named, ...called].map((name) => text(name, 500).replaceAll('\n', ' ')))].slice(0, 64);
}

/** A picture may come from a machine with other separators. */
function fileName(path: string): string {
  return path.split(/[\\/]/).findLast((part) => part !== '') ?? path;
}

/** Without what no database column takes. */
function text(value: string, length: number): string {
  return value.replaceAll('\0', ' ').toWellFormed().slice(0, length);
}
