import { ImpastoError } from '../../../contract/errors.ts';
import type { HubFile } from '../../../contract/library.ts';
import { startSettingsFile } from '../../engine/model/start-settings.ts';
import type { ModelInfo } from './hub-client.ts';
import { isContainedName } from './hub-reference.ts';

export interface ChosenFiles {
  layout: 'folder' | 'files';
  files: HubFile[];
  skipped: { path: string; why: string }[];
  notes: string[];
}

const pickle = /\.(?:bin|ckpt|pt|pth|pkl|pickle)$/i;
const weights = /\.safetensors$/i;
/** What a model is made of besides its weights. */
const config = /\.(?:json|txt|model)$/i;
const onnxFile = /\.(?:onnx|onnx_data|pb)$/i;
const parts = /^(?:unet|vae|vae_encoder|vae_decoder|text_encoder|text_encoder_2|tokenizer|tokenizer_2|scheduler)$/;
/** Weights in other precisions stand beside the plain ones: `model.fp16.safetensors`, shards and their index too. */
const weightsName = /^(?:.+?)(?:\.(fp16|bf16|fp32|non_ema|ema))?(?:-\d{5}-of-\d{5})?\.safetensors$/i;
const indexName =
  /^.+?(?:\.(fp16|bf16|fp32|non_ema|ema))?\.safetensors\.index(?:\.(fp16|bf16|fp32|non_ema|ema))?\.json$/i;
/** Which of them is fetched where there are several; '' is the plain one. */
const preference = ['fp16', '', 'bf16', 'fp32', 'non_ema', 'ema'];

/**
 * The files of a repository that Impasto draws with: a whole folder in diffusers' or ONNX layout (16-bit weights where
 * there are both: they are half as large), the two plain halves of a Segment Anything model as Optimum exports them, or single
 * .safetensors files. Pickles are never fetched.
 * @param inside A folder of the repository, or one file; null for all of it
 * @throws ImpastoError `HUB_NOT_FOUND` where there is nothing of use, `PATH_ESCAPES` for a file that names a way out
 */
export function chooseFiles(info: ModelInfo, inside: string | null): ChosenFiles {
  const all = info.siblings.map(fileOf);
  if (inside !== null) {
    const one = all.find(({ path }) => path === inside);
    if (one) return single(one);
  }
  const root = inside === null ? '' : `${inside}/`;
  const files = all.filter(({ path }) => path.startsWith(root));
  // Hidden folders are nobody's model.
  const hidden = (path: string) => path.split('/').some((part) => /^\.[^.]/.test(part));
  const escaping = files.find(({ path }) => isWanted(path) && !isContainedName(path) && !hidden(path));
  if (escaping) {
    throw new ImpastoError(
      'PATH_ESCAPES',
      `${info.id} has a file named '${escaping.path.slice(0, 200)}', which cannot lie in a folder here.`,
      'Do not use this model, or tell its author.',
    );
  }
  const safe = files.filter(({ path }) => isContainedName(path));
  const isPipeline =
    safe.some(({ path }) => path === `${root}model_index.json`) ||
    safe.some(({ path }) => path.startsWith(`${root}unet/`));
  const chosen = isPipeline ? pipeline(safe, root) : (segmentation(safe, root) ?? singles(safe, root));
  if (chosen.files.some(({ path }) => weights.test(path) || /\.onnx$/i.test(path))) return chosen;
  const pickles = files.filter(({ path }) => pickle.test(path)).length;
  throw new ImpastoError(
    'HUB_NOT_FOUND',
    pickles > 0
      ? `${info.id} has only pickles (${pickles} files): opening one runs whatever code its author put in.`
      : `${info.id}${inside === null ? '' : `:${inside}`} has no model that Impasto draws with.`,
    'Choose a repository with .safetensors files. Impasto never unpickles.',
  );
}

function fileOf({ rfilename, size, blobId, lfs }: ModelInfo['siblings'][number]): HubFile {
  const bytes = lfs?.size ?? size ?? 0;
  if (lfs?.sha256 && /^[0-9a-f]{64}$/.test(lfs.sha256)) {
    return { path: rfilename, bytes, checksum: { algorithm: 'sha256', hex: lfs.sha256 } };
  }
  const known = !lfs && blobId && /^[0-9a-f]{40}$/.test(blobId);
  return { path: rfilename, bytes, checksum: known ? { algorithm: 'git-sha1', hex: blobId } : null };
}

function isWanted(path: string): boolean {
  return weights.test(path) || config.test(path) || onnxFile.test(path);
}

function single(file: HubFile): ChosenFiles {
  if (pickle.test(file.path)) {
    throw new ImpastoError(
      'PICKLE_REFUSED',
      `${file.path} is a pickle: opening one runs whatever code its author put in.`,
      'Choose a .safetensors file. Impasto never unpickles.',
    );
  }
  if (!isContainedName(file.path)) {
    throw new ImpastoError('PATH_ESCAPES', `'${file.path}' cannot lie in a folder here.`, 'Choose another file.');
  }
  return { layout: 'files', files: [file], skipped: [], notes: [] };
}

function pipeline(files: readonly HubFile[], root: string): ChosenFiles {
  const chosen: HubFile[] = [];
  const skipped: ChosenFiles['skipped'] = [];
  const skip = (file: HubFile, why: string) => void skipped.push({ path: file.path, why });
  const byPart = Map.groupBy(files, ({ path }) => partOf(path.slice(root.length)));
  const onnx = files.some(({ path }) => path === `${root}unet/model.onnx`);
  const variants = new Set<string>();
  for (const [part, inside] of byPart) {
    const names = inside.map(({ path }) => path.slice(path.lastIndexOf('/') + 1));
    const best = preference.find((variant) =>
      names.some((name) => weightsName.test(name) && variantOf(name) === variant),
    );
    inside.forEach((file, index) => {
      const name = names[index] as string;
      if (part === '') {
        if (name === 'model_index.json' || name === startSettingsFile) chosen.push(file);
        else if (weights.test(name)) skip(file, 'the same model once more, in one file');
        else if (pickle.test(name)) skip(file, isPickle);
      } else if (!parts.test(part)) {
        if (weights.test(name)) skip(file, `Impasto does not use ${part}`);
      } else if (pickle.test(name)) {
        skip(file, isPickle);
      } else if (weightsName.test(name) || indexName.test(name)) {
        const variant = variantOf(name);
        if (onnx) skip(file, 'the folder has ONNX files too, which are used');
        else if (variant !== best) skip(file, `the ${best || 'plain'} weights beside it are used`);
        else {
          chosen.push(file);
          if (variant) variants.add(variant);
        }
      } else if (config.test(name) || (onnx && onnxFile.test(name))) {
        chosen.push(file);
      }
    });
  }
  const notes = [...variants].map(
    (variant) => `The ${variant} weights are taken: they are smaller than the plain ones.`,
  );
  return { layout: 'folder', files: chosen, skipped, notes };
}

const isPickle = 'a pickle, which Impasto never opens';

/** The part's folder that a file lies in; '' at the top, the whole path of folders where it lies deeper. */
function partOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}

function variantOf(name: string): string {
  const found = weightsName.exec(name) ?? indexName.exec(name);
  return (found?.[1] ?? found?.[2] ?? '').toLowerCase();
}

/** Null where there are no such halves. */
function segmentation(files: readonly HubFile[], root: string): ChosenFiles | null {
  for (const folder of [root, `${root}onnx/`]) {
    const names = ['vision_encoder.onnx', 'prompt_encoder_mask_decoder.onnx'].map((name) => `${folder}${name}`);
    if (!names.every((name) => files.some(({ path }) => path === name))) continue;
    // Weights that do not fit into the file lie beside it: `NAME.onnx_data`.
    const isHalf = ({ path }: HubFile) => names.some((name) => path === name || path.startsWith(`${name}_data`));
    const skipped = files.filter((file) => file.path.endsWith('.onnx') && !isHalf(file));
    return {
      layout: 'folder',
      files: files.filter((file) => isHalf(file) || file.path === `${root}config.json`),
      skipped: skipped.map(({ path }) => ({ path, why: 'the plain halves are used' })),
      notes: ['It is a Segment Anything model: for selecting by clicks, not for drawing.'],
    };
  }
  return null;
}

function singles(files: readonly HubFile[], root: string): ChosenFiles {
  const here = files.filter(({ path }) => !path.slice(root.length).includes('/'));
  const chosen = here.filter(({ path }) => weights.test(path));
  const skipped = here.filter(({ path }) => pickle.test(path)).map(({ path }) => ({ path, why: isPickle }));
  const notes: string[] = [];
  if (chosen.length > 1) {
    notes.push(`It has ${chosen.length} models: name one (owner/name:FILE) to fetch only that.`);
  }
  return { layout: 'files', files: chosen, skipped, notes };
}
