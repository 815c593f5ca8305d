import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { EngineWarning } from '../../../contract/engine.ts';
import { readError } from '../../../models/weights/file-errors.ts';
import { mapLimit } from '../files/map-limit.ts';
import { type ListedFolder, walkFolders } from '../files/walk-folders.ts';
import { besideModel, byLowerCase } from './sidecar-files.ts';

/** A model as it lies on the disk, before any of it is read. */
export interface FoundModel {
  path: string;
  layout: 'single-file' | 'diffusers' | 'onnx';
  /** Of all its files. */
  bytes: number;
  /** Of the newest of its files, milliseconds since 1970. */
  modified: number;
  /** Changes when one of its files, or of those beside it, does. */
  signature: string;
  sidecars: string[];
  preview: string | null;
}

export interface ModelWalk {
  models: FoundModel[];
  /** Every folder in which a model could come or go. */
  folders: string[];
  warnings: EngineWarning[];
}

/** Files that a person takes for a model, those that Impasto refuses too: they are listed with the reason. */
const modelFile = /\.(?:safetensors|ckpt|pt|pth|gguf)$/i;

/** The folders of a pipeline's parts, in diffusers' and Optimum's layouts. */
const partFolder =
  /^(?:unet|vae|vae_encoder|vae_decoder|text_encoder|tokenizer|scheduler|safety_checker|feature_extractor|image_encoder|transformer|controlnet|movq|prior)(?:_\w+)?$/;

/** Encoder and decoder of a segmentation model, side by side as ONNX files. */
function holdsHalves({ files }: ListedFolder): boolean {
  const names = files.filter((name) => /\.onnx$/i.test(name));
  return (
    names.some((name) => /decoder/i.test(name)) && names.some((name) => /encoder/i.test(name) && !/decoder/i.test(name))
  );
}

/** Whether a file's name is one of a model's. */
export function isModelFile(path: string): boolean {
  return modelFile.test(path);
}

/**
 * Finds the models below a folder by names and sizes alone: files by their ending, and folders in diffusers' or ONNX
 * layout as one model each. A folder that holds both (as many repositories do) gives both. Two ONNX files by the names of an encoder
 * and a decoder are one model too, that of their folder; in `onnx/`, as repositories for transformers.js have them, that of the
 * folder above.
 * @param root a folder, or one model's file, which is then looked at alone and not watched
 * @throws ImpastoError `FILE_NOT_FOUND`, `FILE_UNREADABLE` where the folder itself cannot be read
 */
export async function walkModels(root: string): Promise<ModelWalk> {
  if (await isFile(root)) return { models: await oneFile(resolve(root)), folders: [], warnings: [] };
  const warnings: EngineWarning[] = [];
  const warn = (warning: EngineWarning) => void warnings.push(warning);
  const pipelines: ListedFolder[] = [];
  const halves: ListedFolder[] = [];
  const folders = await walkFolders(root, {
    warn,
    enter: (folder) => {
      if (holdsHalves(folder)) halves.push(folder);
      if (!isPipeline(folder)) return folder.folders;
      pipelines.push(folder);
      return folder.folders.filter((name) => !partFolder.test(name));
    },
  });
  const files = folders.flatMap(({ path, files }) => {
    const models = files.filter((name) => modelFile.test(name));
    const names = models.length > 0 ? byLowerCase(files) : new Map<string, string>();
    return models.map((name) => ({ folder: path, name, names }));
  });
  const single = await mapLimit(files, 32, ({ folder, name, names }) => findFile(folder, name, names));
  const whole = await mapLimit(pipelines, 4, (folder) => findPipeline(folder, warn));
  const paired = await mapLimit(halves, 4, (folder) => findHalves(folder, resolve(root)));
  return {
    models: [...single, ...whole, ...paired].filter((model) => model !== null),
    folders: [...folders.map(({ path }) => path), ...pipelines.flatMap(partsOf)],
    warnings,
  };
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() ?? false;
}

async function oneFile(path: string): Promise<FoundModel[]> {
  if (!modelFile.test(path)) return [];
  const folder = dirname(path);
  const names = await readdir(folder).catch((thrown: unknown) => Promise.reject(readError(thrown, folder)));
  const found = await findFile(folder, basename(path), byLowerCase(names));
  return found ? [found] : [];
}

function isPipeline({ files, folders }: ListedFolder): boolean {
  return (
    files.includes('model_index.json') ||
    (folders.includes('unet') && folders.some((name) => /^(?:vae|text_enc)/.test(name)))
  );
}

function partsOf({ path, folders }: ListedFolder): string[] {
  return folders.filter((name) => partFolder.test(name)).map((name) => join(path, name));
}

interface Stamp {
  name: string;
  bytes: number;
  modified: number;
}

async function stamp(path: string, name: string): Promise<Stamp | null> {
  const stats = await stat(join(path, name)).catch(() => null);
  return stats?.isFile() ? { name, bytes: stats.size, modified: Math.trunc(stats.mtimeMs) } : null;
}

const signatureOf = (stamps: readonly Stamp[]) =>
  stamps.map(({ name, bytes, modified }) => `${name}:${bytes}:${modified}`).join('|');

async function findFile(folder: string, name: string, names: Map<string, string>): Promise<FoundModel | null> {
  const own = await stamp(folder, name);
  if (!own) return null;
  const beside = besideModel(name.replace(modelFile, ''), names);
  const stamps = [own];
  for (const other of [...beside.sidecars, ...(beside.preview ? [beside.preview] : [])]) {
    const found = await stamp(folder, other);
    if (found) stamps.push(found);
  }
  return {
    path: join(folder, name),
    layout: 'single-file',
    bytes: own.bytes,
    modified: own.modified,
    signature: signatureOf(stamps),
    sidecars: beside.sidecars.map((file) => join(folder, file)),
    preview: beside.preview && join(folder, beside.preview),
  };
}

async function findPipeline(folder: ListedFolder, warn: (warning: EngineWarning) => void): Promise<FoundModel | null> {
  const stamps: Stamp[] = [];
  const index = await stamp(folder.path, 'model_index.json');
  if (index) stamps.push(index);
  for (const part of partsOf(folder)) {
    // A part is a folder of files; what lies deeper is no part of a model.
    const [listed] = await walkFolders(part, { warn, enter: () => [] }).catch(() => []);
    const found = await mapLimit(listed?.files ?? [], 16, (name) => stamp(part, name));
    for (const file of found)
      if (file) stamps.push({ ...file, name: `${part.slice(folder.path.length + 1)}/${file.name}` });
  }
  if (stamps.length === 0) return null;
  const layout = stamps.some((file) => file.name.endsWith('/model.onnx')) ? 'onnx' : 'diffusers';
  return { ...folderModel(folder, stamps), path: folder.path, layout };
}

async function findHalves(folder: ListedFolder, root: string): Promise<FoundModel | null> {
  const stamps = await mapLimit(folder.files, 16, (name) => stamp(folder.path, name));
  const isInner = basename(folder.path) === 'onnx' && resolve(folder.path) !== root;
  const found = folderModel(
    folder,
    stamps.filter((file) => file !== null),
  );
  return found.bytes === 0 ? null : { ...found, path: isInner ? dirname(folder.path) : folder.path, layout: 'onnx' };
}

/** What the files of a folder's model tell together. */
function folderModel(folder: ListedFolder, stamps: readonly Stamp[]): Omit<FoundModel, 'path' | 'layout'> {
  const name = basename(folder.path);
  const inside = besideModel(name, byLowerCase(folder.files));
  const preview = inside.preview ?? folder.files.find((file) => /^preview\.(?:png|jpe?g|webp)$/i.test(file)) ?? null;
  return {
    bytes: stamps.reduce((sum, { bytes }) => sum + bytes, 0),
    modified: Math.max(...stamps.map(({ modified }) => modified)),
    signature: signatureOf(stamps),
    sidecars: inside.sidecars.map((file) => join(folder.path, file)),
    preview: preview && join(folder.path, preview),
  };
}
