import { z } from 'zod';
import { errorCodes } from './errors.ts';
import { ExportOptions } from './export.ts';
import { FilePath } from './file-path.ts';
import { RenderRequest } from './request.ts';
import { Warning } from './warning.ts';

/**
 * The queue as every face sees it: jobs, their states, what may be asked of them and what is told of them.
 */

export const jobStates = ['queued', 'running', 'paused', 'done', 'failed', 'cancelled', 'set-aside'] as const;
export const JobState = z.enum(jobStates);
export type JobState = z.infer<typeof JobState>;

/** States of jobs that are still to be drawn, in the order of the queue. */
export const waitingStates = ['queued', 'running', 'paused'] as const satisfies readonly JobState[];
/** States of jobs that nothing more happens to unless somebody asks. */
export const endedStates = ['done', 'failed', 'cancelled', 'set-aside'] as const satisfies readonly JobState[];

export const JobId = z.number().int().min(1);
const JobIds = z.array(JobId).min(1).max(100_000);

export const ErrorInfo = z.object({ code: z.enum(errorCodes), message: z.string(), remedy: z.string() });

/** A picture of a job that is written: the file is on the disk under this name. */
export const JobPicture = z.object({
  /** Which picture of the batch, from 0. */
  image: z.number().int().min(0),
  path: z.string(),
  seed: z.number().int().min(0),
  width: z.number().int(),
  height: z.number().int(),
  bytes: z.number().int(),
  /** SHA-256 of the file as it was written, in hex. */
  sha256: z.string(),
});
export type JobPicture = z.infer<typeof JobPicture>;

/** How far a job is; the same fields as the engine's progress, for the whole batch. */
export const JobProgress = z.object({
  stage: z.enum(['open', 'load', 'encode-text', 'encode-image', 'sample', 'decode']),
  image: z.number().int(),
  images: z.number().int(),
  step: z.number(),
  steps: z.number(),
  unetRows: z.number(),
  elapsed: z.number(),
});
export type JobProgress = z.infer<typeof JobProgress>;

/** Where a prompt came from, so that the choice of a wildcard can be seen and made again. */
export const JobOrigin = z.object({
  /** The prompt before its wildcards and choices were filled in. */
  prompt: z.string().optional(),
  negativePrompt: z.string().optional(),
  /** Seed of the choices. */
  choiceSeed: z.number().int().optional(),
  /** What was chosen, in order: e.g. `__colour__` -> `teal`. */
  choices: z.array(z.object({ from: z.string(), to: z.string() })).optional(),
  /** Row of the CSV, from 1, not counting the header. */
  csvRow: z.number().int().optional(),
  /** Place in a grid: index on x, y and z. */
  cell: z.tuple([z.number().int(), z.number().int(), z.number().int()]).optional(),
});
export type JobOrigin = z.infer<typeof JobOrigin>;

export const Job = z.object({
  id: JobId,
  /** A sheet lays the pictures of a finished grid on one labelled sheet. */
  kind: z.enum(['render', 'sheet']),
  /** Jobs that were added together as a batch or a grid. */
  group: z.number().int().nullable(),
  /** Place in the queue: a smaller one is drawn earlier. Only its order means anything. */
  position: z.number(),
  state: JobState,
  request: RenderRequest,
  output: ExportOptions,
  origin: JobOrigin,
  /** Pictures written so far, in the order of the batch. */
  pictures: z.array(JobPicture),
  /** Pictures that were asked for. */
  wanted: z.number().int(),
  /** How often it was started. */
  attempts: z.number().int(),
  /** How often the engine died over it since its last finished picture. */
  engineDeaths: z.number().int(),
  /** It is drawn with a tiled VAE and one picture at a time, since it did not fit in memory otherwise. */
  reduced: z.boolean(),
  /** In words: what last happened to it, e.g. "The engine died: goes on from step 12 of picture 3." */
  note: z.string(),
  warnings: z.array(Warning),
  error: ErrorInfo.nullable(),
  progress: JobProgress.nullable(),
  /** What it was asked to do at its next step: hold, end, or go back to the queue. */
  asked: z.enum(['pause', 'cancel', 'yield']).nullable(),
  /** Milliseconds since 1970. */
  created: z.number(),
  started: z.number().nullable(),
  ended: z.number().nullable(),
});
export type Job = z.infer<typeof Job>;

export const PauseCause = z.enum(['person', 'crash', 'disk-full', 'engine', 'database-damaged']);
export type PauseCause = z.infer<typeof PauseCause>;

export const QueueState = z.object({
  paused: z.boolean(),
  cause: PauseCause.nullable(),
  /** Why it is paused, in words; empty where it is not. */
  reason: z.string(),
  /** How many jobs are in each state. */
  counts: z.record(JobState, z.number().int()),
  /** Processes that draw from this queue now. */
  runners: z.array(z.object({ name: z.string(), pid: z.number().int(), host: z.string() })),
});
export type QueueState = z.infer<typeof QueueState>;

/** Where jobs go in the queue. */
export const Place = z.union([
  z.literal('front'),
  z.literal('end'),
  z.strictObject({ before: JobId }),
  z.strictObject({ after: JobId }),
]);
export type Place = z.infer<typeof Place>;

/** Values of one request field, in the order in which they are laid along an axis. */
export const GridAxis = z.strictObject({
  /** Path of the field, e.g. `guidance.scale`, `steps`, `embeddings.0.path`. */
  field: z.string().min(1),
  /** Search and replace: the values stand in for this text in the field (a prompt). */
  replace: z.string().min(1).optional(),
  values: z
    .array(z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.number())]))
    .min(1)
    .max(1000),
  /** Shown on the sheet; by default the field's path. */
  label: z.string().max(200).optional(),
});
export type GridAxis = z.infer<typeof GridAxis>;

export const GridSpec = z.strictObject({
  x: GridAxis,
  y: GridAxis.optional(),
  z: GridAxis.optional(),
  /** Longest side of a cell on the sheet, pixels. The pictures themselves keep their size. */
  cell: z.number().int().min(32).max(4096).default(512),
});
export type GridSpec = z.infer<typeof GridSpec>;

export const Batch = z.strictObject({
  request: RenderRequest,
  /** Each job once for each of so many seeds. */
  seeds: z
    .strictObject({
      count: z.number().int().min(1).max(100_000),
      /** `consecutive` counts up from the request's seed; `random` draws them, beginning from it. */
      order: z.enum(['consecutive', 'random']).default('consecutive'),
    })
    .optional(),
  /** Fill in `__name__` from text files of this folder, and `{a|b|c}`. Without it prompts are taken as they are. */
  wildcards: z
    .strictObject({
      folder: FilePath.optional(),
      /** Seed of the choices; by default the request's. */
      seed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
    })
    .optional(),
  /** A table with one job a row; its header names request fields, e.g. `prompt,seed,guidance.scale`. */
  csv: z
    .union([
      z.strictObject({ path: FilePath }),
      /** The table itself: paths in it are absolute, or `upload:ID`. */
      z.strictObject({
        text: z
          .string()
          .min(1)
          .max(16 * 2 ** 20),
      }),
    ])
    .optional(),
  /** A folder of pictures, each the init picture of a job. */
  initFolder: z.strictObject({ path: FilePath, strength: z.number().min(0).max(1).optional() }).optional(),
  /** The same for chosen pictures: paths, or `upload:ID`. */
  initPictures: z
    .strictObject({
      paths: z.array(FilePath).min(1).max(100_000),
      strength: z.number().min(0).max(1).optional(),
    })
    .optional(),
  grid: GridSpec.optional(),
});
export type Batch = z.infer<typeof Batch>;
export type BatchInput = z.input<typeof Batch>;

/** A batch before it is added: how many jobs it makes, and the first of them. */
export const BatchPreview = z.object({
  jobs: z.number().int(),
  first: z.array(z.object({ request: RenderRequest, origin: JobOrigin })),
});
export type BatchPreview = z.infer<typeof BatchPreview>;

/** A field of a request that a grid's axis or a column of a table can set. */
export const RequestField = z.object({
  /** e.g. `guidance.scale`; of a list the first element, e.g. `adapters.0.strength`. */
  path: z.string(),
  kind: z.enum(['number', 'integer', 'text', 'choice', 'boolean', 'numbers']),
  /** Of a choice; null otherwise. */
  choices: z.array(z.string()).nullable(),
});
export type RequestField = z.infer<typeof RequestField>;

/** What may be asked of the queue, by name. */
export const queueInputs = {
  add: z.strictObject({
    requests: z.array(RenderRequest).min(1).max(100_000),
    output: ExportOptions,
    place: z.enum(['front', 'end']).default('end'),
  }),
  previewBatch: z.strictObject({ batch: Batch, limit: z.number().int().min(0).max(100).default(10) }),
  addBatch: z.strictObject({ batch: Batch, output: ExportOptions, place: z.enum(['front', 'end']).default('end') }),
  list: z.strictObject({
    states: z.array(JobState).min(1).optional(),
    group: z.number().int().optional(),
    /** Words that the prompt holds. */
    text: z.string().max(1000).optional(),
    /** `queue`: as they will be drawn, ended ones after them; `newest`: the last ended first, those not ended last. */
    order: z.enum(['queue', 'newest']).default('queue'),
    offset: z.number().int().min(0).default(0),
    limit: z.number().int().min(1).max(1000).default(100),
  }),
  get: z.strictObject({ id: JobId }),
  /** What the engine last wrote before it died over this job; empty where it did not. */
  log: z.strictObject({ id: JobId }),
  reorder: z.strictObject({ ids: JobIds, place: Place }),
  edit: z.strictObject({ id: JobId, request: RenderRequest.optional(), output: ExportOptions.optional() }),
  duplicate: z.strictObject({ ids: JobIds }),
  /**
   * Jobs, which stop at their next step where they are drawn; without ids the whole queue, which finishes the picture
   * under way unless it is to stop `now`.
   */
  pause: z.strictObject({ ids: JobIds.optional(), now: z.boolean().default(false) }),
  resume: z.strictObject({ ids: JobIds.optional() }),
  cancel: z.union([z.strictObject({ ids: JobIds }), z.strictObject({ all: z.literal(true) })]),
  retry: z.strictObject({ ids: JobIds }),
  /** Takes ended jobs off the list; their pictures stay. */
  clear: z.strictObject({ states: z.array(z.enum(endedStates)).min(1).default(['done', 'cancelled']) }),
} as const;

export type AddInput = z.input<typeof queueInputs.add>;
export type AddBatchInput = z.input<typeof queueInputs.addBatch>;
export type ListInput = z.input<typeof queueInputs.list>;

export const JobList = z.object({ jobs: z.array(Job), total: z.number().int() });
export type JobList = z.infer<typeof JobList>;

const Preview = z.object({
  image: z.number(),
  step: z.number(),
  width: z.number(),
  height: z.number(),
  rgb: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
});

export const QueueEvent = z.discriminatedUnion('type', [
  /** These jobs are as given now: new, changed or moved. */
  z.object({ type: z.literal('jobs'), jobs: z.array(Job) }),
  z.object({ type: z.literal('removed'), ids: z.array(JobId) }),
  /** Much has changed, or another process has changed something: list again. */
  z.object({ type: z.literal('reload') }),
  z.object({ type: z.literal('queue'), state: QueueState }),
  z.object({ type: z.literal('progress'), id: JobId, progress: JobProgress }),
  z.object({ type: z.literal('preview'), id: JobId, preview: Preview }),
  z.object({ type: z.literal('picture'), id: JobId, picture: JobPicture }),
]);
export type QueueEvent = z.infer<typeof QueueEvent>;
