import { z } from 'zod';
import { type AdapterFacts, AdapterSuggestion } from './adapter.ts';
import { adapterToolInputs, adapterToolOutputs } from './adapter-tools.ts';
import { pictureSelection } from './click-select.ts';
import { ExportOptions } from './export.ts';
import { FilePath } from './file-path.ts';
import {
  ExportReport,
  FolderChange,
  HubDownload,
  HubPlan,
  hubInputs,
  ImportedPicture,
  LibraryFolders,
  LibraryInfo,
  MissingFile,
  ModelEntry,
  ModelList,
  ModelQuery,
  PictureEntry,
  PictureFacets,
  PictureList,
  PictureQuery,
  PictureSource,
  pictureInputs,
  RemovedPictures,
  RestoredPictures,
  ScanReport,
} from './library.ts';
import { EstimateRequest, MemoryEstimate } from './memory-estimate.ts';
import { BatchPreview, ErrorInfo, Job, JobId, JobList, QueueState, queueInputs, RequestField } from './queue.ts';
import { maxPromptLength, PredictionType, ProviderName, RenderRequest } from './request.ts';
import { Settings, SettingsChange } from './settings.ts';
import { Warning } from './warning.ts';

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
const path = FilePath;
/** Jobs that were added, and what of their prompts' `<lora:...>` tags could not be used. */
const Added = z.object({ ids: z.array(JobId), warnings: z.array(Warning) });

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

const ScanReports = z.object({ models: ScanReport, pictures: ScanReport });

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

  /** `<lora:name:0.8>` in a prompt becomes an adapter of the request, here and wherever a request is given. */
  'queue.add': route(queueInputs.add.extend({ output }), Added),
  'queue.addBatch': route(queueInputs.addBatch.extend({ output }), Added),
  /** The jobs that a batch would make, before they are added. */
  'queue.previewBatch': route(queueInputs.previewBatch, BatchPreview),
  /** The fields of a request that a grid's axis or a table's column may name. */
  'queue.fields': route(nothing, z.object({ fields: z.array(RequestField) })),
  'queue.list': route(queueInputs.list, JobList),
  'queue.get': route(queueInputs.get, Job),
  'queue.log': route(queueInputs.log, z.object({ log: z.string() })),
  'queue.state': route(nothing, QueueState),
  'queue.front': route(z.strictObject({ ids: queueInputs.reorder.shape.ids }), Done),
  'queue.reorder': route(queueInputs.reorder, Done),
  'queue.edit': route(queueInputs.edit, z.object({ job: Job, warnings: z.array(Warning) })),
  'queue.duplicate': route(queueInputs.duplicate, Ids),
  'queue.pause': route(queueInputs.pause, Done),
  'queue.resume': route(queueInputs.resume, Done),
  'queue.cancel': route(queueInputs.cancel, Done),
  'queue.retry': route(queueInputs.retry, Ids),
  'queue.clear': route(queueInputs.clear, z.object({ removed: z.number().int() })),

  'engine.devices': route(nothing, DeviceReport),
  'engine.memory': route(nothing, MemoryReport),
  'engine.estimate': route(EstimateRequest, MemoryEstimate),
  'engine.release': route(nothing, Done),

  'library.info': route(nothing, LibraryInfo),
  /** Looks through one folder more, in place; a folder that is known already is no error. */
  'library.addFolder': route(FolderChange, LibraryFolders),
  /** Looks there no longer; its files stay. */
  'library.removeFolder': route(FolderChange, LibraryFolders),
  /** Looks through the folders now; what is unchanged costs next to nothing. Answers when it is done. */
  'library.scan': route(nothing, ScanReports),
  /** Makes the index anew from the files alone. */
  'library.rebuild': route(nothing, ScanReports),

  /** Models, adapters (`kind: 'adapter'`), VAEs, embeddings: by name. */
  'models.list': route(ModelQuery, ModelList),
  'models.get': route(z.strictObject({ path }), ModelEntry),
  /** Takes up one file or folder that is a model, where it lies. */
  'models.add': route(z.strictObject({ path }), ModelEntry),
  /** What a model file or folder is, from its headers. */
  'models.inspect': route(z.strictObject({ path, hash: z.boolean().default(false) }), ModelFacts),
  /** What an adapter file is, from its header and what lies beside it. */
  'adapters.inspect': route(
    z.strictObject({ path }),
    z.custom<AdapterFacts>((facts) => typeof facts === 'object' && facts !== null),
  ),
  /** How many of an adapter's layers find their module in a model; `problem`: why it cannot act on it. */
  'adapters.fit': route(
    z.strictObject({ path, model: path }),
    z.object({
      applied: z.number().int(),
      of: z.number().int(),
      /** Keys of layers that find none, at most 50. */
      unmatched: z.array(z.string()),
      problem: ErrorInfo.nullable(),
    }),
  ),
  /** Adapters of the library that a prompt speaks of, the best first, by their words; nothing is applied. */
  'adapters.suggest': route(
    z.strictObject({
      prompt: z.string().max(maxPromptLength),
      family: z.enum(['sd1', 'sd2', 'sdxl']).optional(),
      limit: z.number().int().min(1).max(100).default(10),
    }),
    z.array(AdapterSuggestion),
  ),
  /** Each layer's singular values: energy and effective rank. */
  'adapters.spectrum': route(adapterToolInputs.spectrum, adapterToolOutputs.spectrum),
  /** Slow for wide layers (minutes): ask for a few layers at a time. What was found is kept for `adapters.calm`. */
  'adapters.intruders': route(adapterToolInputs.intruders, adapterToolOutputs.intruders),
  /** How far two adapters pull at the same things. */
  'adapters.compare': route(adapterToolInputs.compare, adapterToolOutputs.compare),
  /** New files; `FILE_EXISTS` where one of that name is there and is not to be written over. */
  'adapters.truncate': route(adapterToolInputs.truncate, adapterToolOutputs.written),
  'adapters.calm': route(adapterToolInputs.calm, adapterToolOutputs.written),
  'adapters.merge': route(adapterToolInputs.merge, adapterToolOutputs.written),
  'adapters.convert': route(adapterToolInputs.convert, adapterToolOutputs.written),
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

  /** A request whose prompts' `<lora:name:0.8>` tags have become adapters, as the queue takes it. */
  'prompt.resolve': route(
    z.strictObject({ request: RenderRequest }),
    z.object({ request: RenderRequest, warnings: z.array(Warning) }),
  ),
  /** The text files that `__name__` in a batch's prompt chooses from. */
  'wildcards.list': route(
    nothing,
    z.object({
      folder: z.string(),
      wildcards: z.array(z.object({ name: z.string(), lines: z.number().int() })),
    }),
  ),
  /** A prompt with its wildcards and `{a|b}` filled in, once for each of so many seeds. */
  'wildcards.fill': route(
    z.strictObject({
      prompt: z.string().max(maxPromptLength),
      seed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
      count: z.number().int().min(1).max(100).default(1),
    }),
    z.object({ prompts: z.array(z.string()) }),
  ),

  'pictures.list': route(PictureQuery, PictureList),
  'pictures.get': route(pictureInputs.get, PictureEntry),
  'pictures.facets': route(nothing, PictureFacets),
  'pictures.star': route(pictureInputs.star, Done),
  /** Moves pictures to the system's bin. */
  'pictures.remove': route(pictureInputs.remove, RemovedPictures),
  'pictures.restore': route(pictureInputs.restore, RestoredPictures),
  /** Copies pictures into the library as they are, whoever drew them; each is told of in the order given. */
  'pictures.import': route(pictureInputs.import, z.object({ imported: z.array(ImportedPicture) })),
  /** What clicks on a picture mean, as a mask among the uploads: white is selected. */
  'pictures.select': route(pictureSelection.input, pictureSelection.output),
  /** Writes pictures again: other format, size, name, folder. */
  'pictures.export': route(pictureInputs.export, ExportReport),
  /**
   * The request that draws a picture again, with the files that it names found on this machine: by path, by name, or by
   * the hashes of A1111's text. `NO_METADATA` where it says nothing.
   */
  'pictures.recall': route(
    PictureSource,
    z.object({
      request: RenderRequest,
      source: z.enum(['impasto', 'infotext']),
      missing: z.array(MissingFile),
      warnings: z.array(Warning),
    }),
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

  /** What would be fetched from the Hugging Face hub, to be shown and agreed to. */
  'hub.plan': route(hubInputs.plan, HubPlan),
  /** Begins a download; how it goes is told by `hub.download`. */
  'hub.fetch': route(hubInputs.fetch, HubDownload),
  'hub.list': route(nothing, z.object({ downloads: z.array(HubDownload) })),
  /** Stops a download; what has arrived is kept. */
  'hub.stop': route(hubInputs.download, HubDownload),
  'hub.resume': route(hubInputs.download, HubDownload),
  /** Stops it, throws away what has arrived, and takes it off the list; a model that is done stays. */
  'hub.discard': route(hubInputs.download, Done),
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
