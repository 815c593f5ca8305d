import { resolve } from 'node:path';
import type {
  DeviceReport,
  EngineWarning,
  MemoryReport,
  ProviderChoice,
  RenderedImage,
  RenderResult,
  RenderSummary,
  Segment,
  SegmentRequest,
} from '../../contract/engine.ts';
import { asImpastoError } from '../../contract/errors.ts';
import type { EstimateRequest, MemoryEstimate } from '../../contract/memory-estimate.ts';
import { parseRequest } from '../../contract/parse.ts';
import type { Precision, ProviderName, RenderRequest, RenderRequestInput } from '../../contract/request.ts';
import type { Checkpoint } from '../../models/checkpoint/checkpoint.ts';
import { openCheckpoint, openVae } from '../../models/checkpoint/open.ts';
import { padConvChannels } from '../../models/passes/conv-channels.ts';
import { compositionBytes } from './adapters/composition-memory.ts';
import { ModelAdapters } from './adapters/model-adapters.ts';
import { builtinModel } from './model/builtin-model.ts';
import { InversionStore } from './model/inversion-store.ts';
import { type LoadedModel, loadModel, type Placement } from './model/loaded-model.ts';
import { resolveSize, type SizedRequest } from './pipeline/init-picture.ts';
import { LatentPreviews } from './pipeline/previews.ts';
import { type PictureHooks, renderPictures, type Spent, vaeTile } from './pipeline/render.ts';
import { assertFits, estimateJob, type JobEstimate, type JobSize, memoryBudget } from './runtime/memory.ts';
import { chooseProvider, deviceReport, nextProvider, ProviderProbes, providerWarning } from './runtime/providers.ts';
import { modelIdentity, SessionCache } from './runtime/session-cache.ts';
import { systemMemory } from './runtime/system-memory.ts';
import { Segmenter } from './segmentation/segmenter.ts';
import { checkTextualInversion, readTextualInversion } from './text/textual-inversion.ts';

export interface RenderHooks extends Omit<PictureHooks, 'onImage'> {
  /** Every finished picture, with the summary of what is done so far. */
  onImage?: (image: RenderedImage, index: number, summary: RenderSummary) => void | Promise<void>;
}

export interface EngineOptions {
  /** Overrides what a request says; `auto` or omitted leaves it to the request. */
  provider?: ProviderName | 'auto';
  /** Overrides what a request says; `auto` or omitted leaves it to the request. */
  precision?: Precision;
  /** Bytes that sessions may hold; omitted: what the machine has free, less a reserve. */
  memoryBudget?: number;
  /** Where inversions of pictures are kept; omitted: the system's folder for what can be made anew. */
  inversionFolder?: string;
  /** Threads of a run on the CPU; omitted: one a physical core. */
  threads?: number;
}

/** Opened models kept: headers and tokenizers only, a few MB each. */
const openModelsKept = 8;

/**
 * The engine: RenderRequests to pictures, in this process. Its runs block the thread, so an app holds it in a process
 * of its own (`process/`).
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #cache: SessionCache;
  readonly #models = new Map<string, LoadedModel>();
  readonly #adapters = new WeakMap<LoadedModel, ModelAdapters>();
  readonly #previews = new LatentPreviews();
  readonly #inversions: InversionStore;
  readonly #segmenter: Segmenter;
  readonly #probes = new ProviderProbes();
  /** Where the job under way wants to be warned. */
  #warn: (warning: EngineWarning) => void = () => {};

  private constructor(options: EngineOptions) {
    this.#options = options;
    this.#inversions = new InversionStore(options.inversionFolder);
    const budget = options.memoryBudget ?? memoryBudget(systemMemory().available);
    this.#cache = new SessionCache({
      budget,
      ...(options.threads === undefined ? {} : { threads: options.threads }),
      onWarning: (warning) => this.#warn(warning),
    });
    this.#segmenter = new Segmenter(this.#cache);
  }

  static async create(options: EngineOptions = {}): Promise<Engine> {
    return new Engine(options);
  }

  /**
   * Draws a request's pictures.
   * @throws ImpastoError with the code of what was wrong; the engine is ready for the next request after it
   */
  async render(input: RenderRequestInput, hooks: RenderHooks = {}): Promise<RenderResult> {
    const request = parseRequest(input);
    const warnings: EngineWarning[] = [];
    const warn = (warning: EngineWarning) => {
      if (warnings.some(({ message }) => message === warning.message)) return;
      warnings.push(warning);
      hooks.onWarning?.(warning);
    };
    this.#warn = warn;
    const choice = await this.#choose(request.provider);
    try {
      return await this.#renderOn(choice, request, warnings, warn, hooks);
    } catch (thrown) {
      const error = asImpastoError(thrown);
      const asked = this.#options.provider ?? request.provider;
      if (error.code !== 'PROVIDER_UNAVAILABLE' || (asked !== 'auto' && asked !== undefined)) throw error;
      // The provider passed its self-test and failed on the model: the next one takes over, and it is said.
      const next = nextProvider(await this.#probes.all(), choice.provider);
      if (next === choice.provider) throw error;
      warn(providerWarning(choice.provider, error, next));
      return this.#renderOn(await this.#choose(next), request, warnings, warn, hooks);
    }
  }

  /** Selects by clicks with a segmentation model. Throws as {@link Segmenter.segment}. */
  segment(request: SegmentRequest): Promise<Segment> {
    return this.#segmenter.segment(request);
  }

  async #renderOn(
    choice: ProviderChoice,
    request: RenderRequest,
    warnings: EngineWarning[],
    warn: (warning: EngineWarning) => void,
    hooks: RenderHooks,
  ): Promise<RenderResult> {
    const builtBefore = this.#cache.built;
    const { model, sized, half, placement } = await this.#prepared(request, choice.provider, warn);
    const { checkpoint } = model;
    const tiled = this.#fit(sized, model, placement, warn);
    const embeddings = await Promise.all(
      request.embeddings.map(async ({ token, path }) => ({
        token,
        inversion: await readTextualInversion(resolve(path)),
      })),
    );
    const widths = model.text.map((encoder) => encoder.config.hiddenSize);
    for (const { inversion } of embeddings) checkTextualInversion(inversion, widths);
    const context = {
      model,
      adapters: this.adaptersOf(model),
      embeddings,
      previews: this.#previews,
      tiled,
      inversions: this.#inversions,
      warn,
    };
    const summary = ({ unetRows, timings }: Spent): RenderSummary => ({
      request: { ...sized, provider: choice.provider, precision: half ? 'fp16' : 'fp32' },
      provider: choice,
      unetRows,
      timings,
      sessionsBuilt: this.#cache.built - builtBefore,
      warnings: [...warnings],
      modelName: checkpoint.name,
    });
    const { onImage, ...others } = hooks;
    const rendered = await renderPictures(sized, context, {
      ...others,
      ...(onImage ? { onImage: (image, index, spent) => onImage(image, index, summary(spent)) } : {}),
    });
    return { ...summary(rendered), images: rendered.images };
  }

  /** A request's model, opened, and its size and place, before anything is loaded. */
  async #prepared(request: RenderRequest, provider: ProviderName, warn: (warning: EngineWarning) => void) {
    const model = await this.model(request, provider, warn);
    const trained = model.checkpoint.unet.config.sampleSize * model.vae.factor;
    const sized = await resolveSize(request, trained, model.vae.factor, warn);
    const half = await this.#isHalf(request, provider, warn);
    return { model, sized, half, placement: await this.#placement(provider, half) };
  }

  /** The model of a request, opened and wired to a provider; kept for the next request. */
  async model(
    request: Pick<RenderRequest, 'model' | 'vae' | 'scheduler'> & Partial<Pick<RenderRequest, 'precision'>>,
    provider: ProviderName,
    warn: (warning: EngineWarning) => void = () => {},
  ): Promise<LoadedModel> {
    const path = this.modelPath(request.model, warn);
    const { predictionType } = request.scheduler;
    const vaePath = request.vae.path ? resolve(request.vae.path) : null;
    const identity = await modelIdentity(vaePath ? [path, vaePath] : [path]);
    const half = await this.#isHalf(request, provider, warn);
    const key = JSON.stringify([identity, provider, half, predictionType]);
    const known = this.#models.get(key);
    if (known) return known;
    const checkpoint: Checkpoint = await openCheckpoint(path, predictionType ? { predictionType } : {});
    for (const message of checkpoint.notes) warn({ code: 'MODEL_NOTE', message });
    const vae = vaePath ? await openVae(vaePath, checkpoint.family) : checkpoint.vae;
    const loaded = await loadModel(checkpoint, this.#cache, await this.#placement(provider, half), vae);
    this.#models.set(key, loaded);
    for (const oldest of [...this.#models.keys()].slice(0, -openModelsKept)) this.#models.delete(oldest);
    return loaded;
  }

  /** The adapters opened for a model, kept with it. */
  adaptersOf(model: LoadedModel): ModelAdapters {
    const known = this.#adapters.get(model) ?? new ModelAdapters(model);
    this.#adapters.set(model, known);
    return known;
  }

  /** `demo` or a path, as an absolute path. */
  modelPath(model: string, warn: (warning: EngineWarning) => void = () => {}): string {
    if (model !== 'demo') return resolve(model);
    const { path, note } = builtinModel();
    if (note) warn({ code: 'BUILTIN_MODEL', message: note });
    return path;
  }

  async devices(): Promise<DeviceReport> {
    const reports = await this.#probes.all();
    return deviceReport(reports, chooseProvider(reports, this.#options.provider ?? 'auto').choice);
  }

  /**
   * What a picture of this size is going to take, without adapters; the model is opened, and nothing is loaded.
   * @throws ImpastoError what opening the model throws
   */
  async estimate(asked: EstimateRequest): Promise<MemoryEstimate> {
    const request = parseRequest(asked);
    const { provider } = await this.#choose(request.provider);
    const { model, sized, placement } = await this.#prepared(request, provider, () => {});
    const { estimate, tiled } = this.#estimate(sized, model, placement);
    const { weights, activations, part } = estimate.peak;
    const { width, height } = sized;
    return { width, height, bytes: estimate.bytes, weights, activations, part, tiled, budget: this.#cache.budget };
  }

  memory(): MemoryReport {
    return this.#cache.report();
  }

  /** Sessions built since the engine began. */
  get sessionsBuilt(): number {
    return this.#cache.built;
  }

  async releaseSessions(): Promise<void> {
    this.#segmenter.forget();
    await this.#cache.releaseIdle();
  }

  async dispose(): Promise<void> {
    this.#segmenter.forget();
    await this.#cache.releaseIdle();
    this.#models.clear();
  }

  /** Is this job to be tiled; refuses one that cannot fit before it starts. */
  #fit(
    request: SizedRequest,
    model: LoadedModel,
    placement: Placement,
    warn: (warning: EngineWarning) => void,
  ): boolean {
    const { estimate, tiled } = this.#estimate(request, model, placement);
    assertFits(estimate, request, this.#cache.budget);
    if (tiled && request.vae.tiling === 'auto') {
      warn({
        code: 'VAE_TILED',
        message: 'The VAE decodes in tiles, since the whole picture would not fit in memory.',
      });
    }
    return tiled;
  }

  /** What a job takes, and whether its VAE works in tiles: where it is asked to, or would not fit otherwise. */
  #estimate(
    request: SizedRequest,
    model: LoadedModel,
    placement: Placement,
  ): { estimate: JobEstimate; tiled: boolean } {
    const { unet, vae, bytes } = model;
    const size: JobSize = {
      unetBytes: bytes.unet,
      vaeBytes: bytes.vae,
      textBytes: bytes.text,
      width: request.width,
      height: request.height,
      // A style's rows look at each other, so that they are one call on any device.
      rows: request.style ? 3 : placement.batchRows && request.guidance.scale > 1 ? 2 : 1,
      ...unet.memory,
      vaeFactor: vae.factor,
      compositionBytes: compositionBytes(request, unet.config, {
        height: request.height / vae.factor,
        width: request.width / vae.factor,
      }),
      vaeChannels: vae.fullSizeChannels,
    };
    const whole = estimateJob(size);
    const decodeTooLarge = whole.bytes > this.#cache.budget && whole.peak.stage === 'decode';
    const tiled = request.vae.tiling === 'on' || (request.vae.tiling === 'auto' && decodeTooLarge);
    return { estimate: tiled ? estimateJob({ ...size, vaeTile: vaeTile.tile * vae.factor }) : whole, tiled };
  }

  async #choose(requested: ProviderName | 'auto'): Promise<ProviderChoice> {
    const asked = this.#options.provider && this.#options.provider !== 'auto' ? this.#options.provider : requested;
    if (asked !== 'auto') {
      // The others need no probe, which takes a second each, unless the next best is to be named.
      const report = await this.#probes.of(asked);
      if (report.available) return chooseProvider([report], asked).choice;
    }
    return chooseProvider(await this.#probes.all(), asked).choice;
  }

  /** Are the text encoders and the UNet to be in half precision? */
  async #isHalf(
    request: Partial<Pick<RenderRequest, 'precision'>>,
    provider: ProviderName,
    warn: (warning: EngineWarning) => void,
  ): Promise<boolean> {
    const { precision } = this.#options;
    const asked = precision && precision !== 'auto' ? precision : request.precision;
    if (asked !== 'fp16') return false;
    const { findings } = await this.#probes.of(provider);
    if (provider !== 'cpu' && findings?.float16) return true;
    const why = provider === 'cpu' ? 'The CPU computes in fp32' : `${provider} has no fp16 on this device`;
    warn({ code: 'PRECISION_CHANGED', message: `${why}: the picture is drawn in fp32 instead of fp16.` });
    return false;
  }

  async #placement(provider: ProviderName, half: boolean): Promise<Placement> {
    const { findings } = await this.#probes.of(provider);
    return {
      provider,
      author: {
        attention: findings?.fusedAttention ? 'fused' : 'plain',
        compute: 'float',
        noHalf: findings?.float16 === false,
      },
      mend: provider === 'webgpu' ? padConvChannels : null,
      half,
      batchRows: provider !== 'cpu',
    };
  }
}
