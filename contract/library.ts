import { z } from 'zod';
import { errorCodes } from './errors.ts';
import { ExportOptions } from './export.ts';
import { FilePath } from './file-path.ts';
import { JobId } from './queue.ts';
import { UploadId } from './uploads.ts';
import { Warning } from './warning.ts';

/** The library as a window sees it: models, pictures, and what is fetched from the Hugging Face hub. */

const path = FilePath;
const Problem = z.object({ code: z.enum(errorCodes), message: z.string(), remedy: z.string() });
const page = {
  offset: z.number().int().min(0).default(0),
  limit: z.number().int().min(1).max(1000).default(100),
};

export const modelKinds = ['checkpoint', 'adapter', 'vae', 'embedding', 'controlnet', 'segmentation', 'other'] as const;
export const ModelKind = z.enum(modelKinds);
export type ModelKind = z.infer<typeof ModelKind>;

/** The first 128 bits of the SHA-256 of a model's path, in hex: names it in a URL (`resources.ts`). */
export const ModelId = z.string().regex(/^[0-9a-f]{32}$/, 'not the id of a model');

/** A model, an adapter or whatever else lies in a folder of models. */
export const ModelEntry = z.object({
  id: ModelId,
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
  /** Of an adapter: layers that it adapts, by network, as far as its key names tell; null of anything else. */
  layers: z
    .object({ unet: z.number(), textEncoder: z.number(), textEncoder2: z.number(), unknown: z.number() })
    .nullable(),
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
  /** Whether a picture lies beside it (`resourceUrls.modelPreview`). */
  hasPreview: z.boolean(),
  /** Changes when the model or what lies beside it does: for the URL of its preview. */
  version: z.string(),
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

/** A number that no other picture of the same index ever gets. */
export const PictureId = z.number().int().min(1);
const PictureIds = z.array(PictureId).min(1).max(100_000);

export const PictureEntry = z.object({
  id: PictureId,
  /** Changes when the file does: for the URLs of the picture and its thumbnail. */
  version: z.string(),
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

/** A picture that is on the machine: one of the library's, an upload, one of a job's, or a file. */
export const PictureSource = z.union([
  z.strictObject({ picture: PictureId }),
  z.strictObject({ upload: UploadId }),
  z.strictObject({ job: JobId, image: z.number().int().min(0) }),
  z.strictObject({ path }),
]);
export type PictureSource = z.infer<typeof PictureSource>;

/** What may be asked of pictures, by name. */
export const pictureInputs = {
  /** By its number, or by what drew it or where it lies. */
  get: z.union([
    z.strictObject({ id: PictureId }),
    z.strictObject({ job: JobId, image: z.number().int().min(0) }),
    z.strictObject({ path }),
  ]),
  star: z.strictObject({ ids: PictureIds, star: z.boolean() }),
  remove: z.strictObject({ ids: PictureIds }),
  restore: z.strictObject({ undo: z.string().min(1).max(64) }),
  import: z.strictObject({
    sources: z
      .array(
        z.union([
          z.strictObject({ path }),
          /** `name`: what the file was called where it came from; its folder and ending do not matter. */
          z.strictObject({ upload: UploadId, name: z.string().max(255).optional() }),
        ]),
      )
      .min(1)
      .max(10_000),
  }),
  export: z.strictObject({
    sources: z.array(PictureSource).min(1).max(1000),
    /** Each picture is written once for each of these. */
    outputs: z.array(ExportOptions).min(1).max(16),
  }),
} as const;

/** What was moved to the bin. One that could not be moved stays where it was, and the others go on. */
export const RemovedPictures = z.object({
  removed: z.array(PictureId),
  failed: z.array(z.object({ id: PictureId, problem: Problem })),
  /** Takes them back (`pictures.restore`) while Impasto runs; null where the system's bin cannot be asked to. */
  undo: z.string().nullable(),
});
export type RemovedPictures = z.infer<typeof RemovedPictures>;

export const RestoredPictures = z.object({
  pictures: z.array(PictureEntry),
  failed: z.array(z.object({ path: z.string(), problem: Problem })),
});
export type RestoredPictures = z.infer<typeof RestoredPictures>;

/** Files that an export wrote, and those that it could not; by index of the source and of the output. */
export const ExportReport = z.object({
  written: z.array(
    z.object({
      source: z.number().int(),
      output: z.number().int(),
      path: z.string(),
      bytes: z.number(),
      width: z.number(),
      height: z.number(),
      warnings: z.array(Warning),
    }),
  ),
  failed: z.array(z.object({ source: z.number().int(), output: z.number().int(), problem: Problem })),
});
export type ExportReport = z.infer<typeof ExportReport>;

/** What pictures can be filtered by, what drew the most first. */
export const PictureFacets = z.object({
  models: z.array(z.object({ name: z.string(), pictures: z.number() })),
  adapters: z.array(z.object({ name: z.string(), pictures: z.number() })),
  starred: z.number(),
  total: z.number(),
  /** When the oldest and the newest were written, milliseconds since 1970; null where there is none. */
  from: z.number().nullable(),
  until: z.number().nullable(),
});
export type PictureFacets = z.infer<typeof PictureFacets>;

/** A file that a picture's settings name and that is not where they say. */
export const MissingFile = z.object({
  /** In the request, e.g. `model`, `adapters.0.path`. */
  field: z.string(),
  name: z.string(),
  hash: z.string().nullable(),
});
export type MissingFile = z.infer<typeof MissingFile>;

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
  /** Folders of models and adapters, and single files; read in place. */
  models: z.array(path).max(1000),
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

/** One folder more or less. */
export const FolderChange = z.strictObject({ kind: z.enum(['models', 'pictures']), path });

/** What the library is looking through, and how far that is. */
export const LibraryInfo = z.object({
  folders: LibraryFolders,
  /** Where downloaded models and imported pictures go; looked through unless they were taken off the list. */
  own: z.object({ models: z.string(), pictures: z.string() }),
  /** How many there are, by kind; `pending` are not looked into yet, `unusable` broken or of no use. */
  models: z.array(
    z.object({
      kind: ModelKind.nullable(),
      state: z.enum(['pending', 'usable', 'unusable']),
      count: z.number(),
    }),
  ),
  pictures: z.number(),
  /** What is under way at this moment; empty: nothing. */
  progress: z.array(ScanProgress),
  warnings: z.array(Warning),
});
export type LibraryInfo = z.infer<typeof LibraryInfo>;

export type LibraryEvent =
  | { type: 'models-changed' }
  | { type: 'pictures-changed' }
  | { type: 'progress'; progress: ScanProgress }
  | { type: 'warning'; warning: z.infer<typeof Warning> }
  | { type: 'folders'; folders: LibraryFolders }
  | { type: 'download'; download: HubDownload }
  | { type: 'download-removed'; id: number };

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

export const hubInputs = {
  /** `owner/name[@revision][:folder or file]`, or an address of the hub's. */
  plan: z.strictObject({ reference: z.string().min(1).max(1000) }),
  /** What a plan showed: its commit, and the id of its licence, which says that a person has seen it and agrees. */
  fetch: z.strictObject({
    reference: z.string().min(1).max(1000),
    commit: z.string().regex(/^[0-9a-f]{7,64}$/, 'not a commit'),
    acceptLicence: z.string().max(200),
  }),
  download: z.strictObject({ id: z.number().int().min(1) }),
} as const;

/** A download from the hub. What was stopped or broke off goes on from where it was. */
export const HubDownload = z.object({
  id: z.number().int(),
  /** As it was asked for. */
  reference: z.string(),
  commit: z.string(),
  licence: z.string(),
  /** `stopped`: by a person, or since Impasto was closed. */
  state: z.enum(['running', 'stopped', 'failed', 'done']),
  /** The last that was heard; null before anything arrived. */
  progress: HubProgress.nullable(),
  error: Problem.nullable(),
  /** Where the model lies, once it is done. */
  path: z.string().nullable(),
});
export type HubDownload = z.infer<typeof HubDownload>;
