import { z } from 'zod';
import { errorCodes } from './errors.ts';

/** The library as a window sees it: models, pictures, and what is fetched from the Hugging Face hub. */

const path = z.string().min(1).max(4096);
const Problem = z.object({ code: z.enum(errorCodes), message: z.string(), remedy: z.string() });
const Warning = z.object({ code: z.string(), message: z.string() });
const page = {
  offset: z.number().int().min(0).default(0),
  limit: z.number().int().min(1).max(1000).default(100),
};

export const modelKinds = ['checkpoint', 'adapter', 'vae', 'embedding', 'controlnet', 'other'] as const;
export const ModelKind = z.enum(modelKinds);
export type ModelKind = z.infer<typeof ModelKind>;

/** A model, an adapter or whatever else lies in a folder of models. */
export const ModelEntry = z.object({
  path: z.string(),
  /** The watched folder that it was found in. */
  folder: z.string(),
  layout: z.enum(['single-file', 'diffusers', 'onnx']),
  /** Null: not looked into yet, or broken. */
  kind: ModelKind.nullable(),
  /** What the sidecar calls it, else the file's or folder's own name. */
  name: z.string(),
  /** The name by which a prompt's `<lora:...>` finds it. */
  fileName: z.string(),
  family: z.enum(['sd1', 'sd2', 'sdxl']).nullable(),
  /** The base in words, also one that Impasto does not draw with, e.g. `Flux`; null where nothing tells. */
  base: z.string().nullable(),
  variant: z.string().nullable(),
  /** Of an adapter, e.g. `lora`. */
  algorithm: z.string().nullable(),
  rank: z.number().nullable(),
  dtype: z.string().nullable(),
  /** Pixels of the side that it was trained for. */
  trainedSize: z.number().nullable(),
  /** Bytes of all its files. */
  bytes: z.number(),
  /** Milliseconds since 1970. */
  modified: z.number(),
  /** AutoV2: ten hex digits; null until it was computed, and for folders. */
  hash: z.string().nullable(),
  /** AutoV3: twelve hex digits over what follows the header, by which A1111 knows adapters. */
  bodyHash: z.string().nullable(),
  triggers: z.array(z.string()),
  /** Plain text. */
  description: z.string().nullable(),
  /** The strength that its sidecar prefers. */
  strength: z.number().nullable(),
  hasPreview: z.boolean(),
  notes: z.array(z.string()),
  /** `pending`: found but not looked into yet; `unusable`: broken, or nothing that Impasto draws with. */
  state: z.enum(['pending', 'usable', 'unusable']),
  /** What is wrong with it; the gravest. */
  problem: Problem.nullable(),
});
export type ModelEntry = z.infer<typeof ModelEntry>;

export const ModelQuery = z.strictObject({
  kind: ModelKind.optional(),
  family: z.enum(['sd1', 'sd2', 'sdxl']).optional(),
  /** Words that its name, file, base or triggers must hold. */
  text: z.string().max(1000).optional(),
  /** Only those that can be drawn with, or only those that cannot. */
  usable: z.boolean().optional(),
  ...page,
});
export type ModelQuery = z.infer<typeof ModelQuery>;
export type ModelQueryInput = z.input<typeof ModelQuery>;
export const ModelList = z.object({ models: z.array(ModelEntry), total: z.number() });
export type ModelList = z.infer<typeof ModelList>;

export const PictureEntry = z.object({
  id: z.number().int(),
  path: z.string(),
  name: z.string(),
  format: z.string(),
  width: z.number(),
  height: z.number(),
  bytes: z.number(),
  /** Milliseconds since 1970: when the file was last written. */
  modified: z.number(),
  star: z.boolean(),
  prompt: z.string(),
  negativePrompt: z.string(),
  /** Name of the model, without its folder and ending. */
  model: z.string().nullable(),
  modelHash: z.string().nullable(),
  adapters: z.array(z.string()),
  seed: z.number().nullable(),
  steps: z.number().nullable(),
  sampler: z.string().nullable(),
  /** Where its settings are from; null: it does not say how it was drawn. */
  source: z.enum(['impasto', 'infotext']).nullable(),
  warnings: z.array(Warning),
  problem: Problem.nullable(),
});
export type PictureEntry = z.infer<typeof PictureEntry>;

export const PictureQuery = z.strictObject({
  /**
   * Words that prompt, negative prompt, model, adapters or name must hold, each as it begins. `"a phrase"`, `-without`,
   * `model:x`, `lora:x`, `negative:x`, `prompt:x`, `name:x`.
   */
  text: z.string().max(2000).optional(),
  star: z.boolean().optional(),
  /** Exactly this model's name. */
  model: z.string().max(1000).optional(),
  /** Exactly this adapter's name. */
  adapter: z.string().max(1000).optional(),
  /** Written at or after, and before: milliseconds since 1970. */
  from: z.number().optional(),
  until: z.number().optional(),
  order: z.enum(['newest', 'oldest']).default('newest'),
  ...page,
});
export type PictureQuery = z.infer<typeof PictureQuery>;
export type PictureQueryInput = z.input<typeof PictureQuery>;
export const PictureList = z.object({ pictures: z.array(PictureEntry), total: z.number() });
export type PictureList = z.infer<typeof PictureList>;

/** What an import did with each file, in the order given. */
export const ImportedPicture = z.object({
  from: z.string(),
  picture: PictureEntry.nullable(),
  /** It was in the library already, byte for byte. */
  known: z.boolean(),
  problem: Problem.nullable(),
});
export type ImportedPicture = z.infer<typeof ImportedPicture>;

export const LibraryFolders = z.strictObject({
  /** Folders of models and adapters, read in place. */
  models: z.array(path).max(100),
  /** Folders of pictures. */
  pictures: z.array(path).max(100),
});
export type LibraryFolders = z.infer<typeof LibraryFolders>;

/** How far a look through the folders is. */
export const ScanProgress = z.object({
  what: z.enum(['models', 'pictures', 'hashes']),
  done: z.number(),
  /** How many there are as far as is known. */
  total: z.number(),
});
export type ScanProgress = z.infer<typeof ScanProgress>;

/** What a scan found. */
export const ScanReport = z.object({
  found: z.number(),
  added: z.number(),
  changed: z.number(),
  removed: z.number(),
  broken: z.number(),
  warnings: z.array(Warning),
});
export type ScanReport = z.infer<typeof ScanReport>;

export type LibraryEvent =
  | { type: 'models-changed' }
  | { type: 'pictures-changed' }
  | { type: 'progress'; progress: ScanProgress }
  | { type: 'warning'; warning: z.infer<typeof Warning> };

export const HubLicence = z.object({
  /** As the model's card names it, e.g. `openrail++`; `unknown` where it names none. */
  id: z.string(),
  name: z.string().nullable(),
  link: z.string().nullable(),
});
export type HubLicence = z.infer<typeof HubLicence>;

export const HubFile = z.object({
  /** Inside the repository. */
  path: z.string(),
  bytes: z.number(),
  /** SHA-256 of a large file, git's SHA-1 of a small one; hex. */
  checksum: z.object({ algorithm: z.enum(['sha256', 'git-sha1']), hex: z.string() }).nullable(),
});
export type HubFile = z.infer<typeof HubFile>;

/** What would be fetched, to be shown and agreed to before anything is. */
export const HubPlan = z.object({
  id: z.string(),
  /** The commit that the revision stands for. */
  commit: z.string(),
  /** `folder`: one model made of many files; `files`: models in a file each. */
  layout: z.enum(['folder', 'files']),
  files: z.array(HubFile),
  skipped: z.array(z.object({ path: z.string(), why: z.string() })),
  bytes: z.number(),
  /** Of them, on the disk already. */
  bytesHere: z.number(),
  bytesFree: z.number(),
  /** Where it will lie. */
  folder: z.string(),
  licence: HubLicence,
  notes: z.array(z.string()),
});
export type HubPlan = z.infer<typeof HubPlan>;

export const HubProgress = z.object({
  file: z.string(),
  fileIndex: z.number(),
  files: z.number(),
  received: z.number(),
  total: z.number(),
  /** Bytes a second over the last seconds. */
  speed: z.number(),
});
export type HubProgress = z.infer<typeof HubProgress>;
