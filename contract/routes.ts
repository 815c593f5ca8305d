import { z } from 'zod';
import type { AdapterFacts } from './adapter.ts';
import { ExportOptions } from './export.ts';
import { ErrorInfo, Job, JobId, JobList, QueueState, queueInputs } from './queue.ts';
import { maxPromptLength, PredictionType, ProviderName, RenderRequest } from './request.ts';
import { Settings, SettingsChange } from './settings.ts';
import { UploadId } from './uploads.ts';

/**
 * Every request that a window, a browser or a command can make of Impasto, by name. One handler map answers them
 * (`main/handlers/`), whichever face they come through. Values in, values out: pictures are fetched by URL
 * (`resources.ts`), pushed news are in `events.ts`.
 */

interface Route<Input extends z.ZodType, Output extends z.ZodType> {
  input: Input;
  output: Output;
}

function route<Input extends z.ZodType, Output extends z.ZodType>(input: Input, output: Output): Route<Input, Output> {
  return { input, output };
}

const nothing = z.strictObject({});
const Done = z.object({});
const Ids = z.object({ ids: z.array(JobId) });
const path = z.string().min(1).max(4096);
const Warning = z.object({ code: z.string(), message: z.string() });

/** Where and how pictures go; omitted: as the settings say. */
const output = ExportOptions.optional();

const DeviceReport = z.object({
  providers: z.array(z.object({ provider: ProviderName, available: z.boolean(), detail: z.string() })),
  chosen: z.object({ provider: ProviderName, reason: z.string() }),
  totalMemory: z.number(),
  freeMemory: z.number(),
  cores: z.number(),
});

const MemoryReport = z.object({
  rss: z.number(),
  sessions: z.number(),
  budget: z.number(),
  live: z.array(z.object({ name: z.string(), bytes: z.number() })),
  built: z.number().int(),
});

const ModelFacts = z.object({
  path: z.string(),
  layout: z.enum(['single-file', 'diffusers', 'onnx']),
  family: z.enum(['sd1', 'sd2', 'sdxl']),
  variant: z.enum(['base', 'inpaint', 'lcm', 'turbo']),
  /** Parameters of each part that is there. */
  parameters: z.record(z.string(), z.number()),
  dtype: z.string(),
  predictionType: PredictionType,
  /** Pixels of the side that it was trained for. */
  size: z.number(),
  /** Bytes of all its files. */
  fileSize: z.number(),
  /** AutoV2; null for folders, and where it was not asked for. */
  hash: z.string().nullable(),
  missing: z.array(z.string()),
  notes: z.array(z.string()),
  /** What forbids drawing with it, the gravest first. */
  problems: z.array(ErrorInfo),
});

/** A picture that is on the machine: an upload, one of a job's, or a file. */
export const PictureSource = z.union([
  z.strictObject({ upload: UploadId }),
  z.strictObject({ job: JobId, image: z.number().int().min(0) }),
  z.strictObject({ path }),
]);
export type PictureSource = z.infer<typeof PictureSource>;

export const routes = {
  'app.info': route(
    nothing,
    z.object({
      version: z.string(),
      platform: z.string(),
      /** Where Impasto keeps what is its own. */
      home: z.string(),
      pictures: z.string(),
      wildcards: z.string(),
      /** What went wrong at the start and must be shown, e.g. settings that could not be read. */
      warnings: z.array(Warning),
    }),
  ),
  'settings.get': route(nothing, Settings),
  'settings.set': route(SettingsChange, Settings),

  'queue.add': route(queueInputs.add.extend({ output }), Ids),
  'queue.addBatch': route(queueInputs.addBatch.extend({ output }), Ids),
  'queue.list': route(queueInputs.list, JobList),
  'queue.get': route(queueInputs.get, Job),
  'queue.log': route(queueInputs.log, z.object({ log: z.string() })),
  'queue.state': route(nothing, QueueState),
  'queue.front': route(z.strictObject({ ids: queueInputs.reorder.shape.ids }), Done),
  'queue.reorder': route(queueInputs.reorder, Done),
  'queue.edit': route(queueInputs.edit, Job),
  'queue.duplicate': route(queueInputs.duplicate, Ids),
  'queue.pause': route(queueInputs.pause, Done),
  'queue.resume': route(queueInputs.resume, Done),
  'queue.cancel': route(queueInputs.cancel, Done),
  'queue.retry': route(queueInputs.retry, Ids),
  'queue.clear': route(queueInputs.clear, z.object({ removed: z.number().int() })),

  'engine.devices': route(nothing, DeviceReport),
  'engine.memory': route(nothing, MemoryReport),
  'engine.release': route(nothing, Done),

  /** What a model file or folder is, from its headers. */
  'models.inspect': route(z.strictObject({ path, hash: z.boolean().default(false) }), ModelFacts),
  /** What an adapter file is, from its header and what lies beside it. */
  'adapters.inspect': route(
    z.strictObject({ path }),
    z.custom<AdapterFacts>((facts) => typeof facts === 'object' && facts !== null),
  ),
  /** Settings to start from that suit a model. */
  'models.preset': route(
    z.strictObject({ model: path }),
    z.object({ request: RenderRequest, reason: z.string(), notes: z.array(z.string()) }),
  ),
  /** How full each chunk of 75 tokens is. */
  'prompt.count': route(
    z.strictObject({
      model: path,
      prompt: z.string().max(maxPromptLength),
      steps: z.number().int().min(1).max(1000).default(20),
    }),
    z.object({ chunks: z.array(z.object({ used: z.number().int(), of: z.number().int() })) }),
  ),

  /** How a picture was drawn, by its own metadata. */
  'pictures.metadata': route(
    PictureSource,
    z.object({
      request: RenderRequest.nullable(),
      /** `impasto`: the whole request; `infotext`: what another tool's text says. */
      source: z.enum(['impasto', 'infotext']).nullable(),
      infotext: z.string().nullable(),
      model: z.object({ name: z.string().nullable(), hash: z.string().nullable() }).nullable(),
      warnings: z.array(Warning),
    }),
  ),
} as const;

export type Routes = typeof routes;
export type RouteName = keyof Routes;
/** What a caller gives. */
export type RouteInput<Name extends RouteName> = z.input<Routes[Name]['input']>;
/** What a handler gets: defaults filled in. */
export type RouteArguments<Name extends RouteName> = z.output<Routes[Name]['input']>;
export type RouteOutput<Name extends RouteName> = z.output<Routes[Name]['output']>;

export const routeNames = Object.keys(routes) as RouteName[];

export function isRouteName(name: unknown): name is RouteName {
  return typeof name === 'string' && Object.hasOwn(routes, name);
}

/** What comes back over every wire: an output, or one clear error. */
export const Answer = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), output: z.unknown() }),
  z.object({ ok: z.literal(false), error: ErrorInfo }),
]);
export type Answer = z.infer<typeof Answer>;
