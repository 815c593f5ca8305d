import type {
  CheckpointPolicy,
  DeviceReport,
  EngineSettings,
  EngineWarning,
  MemoryReport,
  PictureCheckpoint,
  PreviewEvent,
  ProgressEvent,
  RenderedImage,
  RenderResult,
  RenderSummary,
  Segment,
  SegmentRequest,
} from '../../../contract/engine.ts';
import type { EstimateRequest, MemoryEstimate } from '../../../contract/memory-estimate.ts';
import type { RenderRequest } from '../../../contract/request.ts';

/** What an engine tells while it draws. */
export interface RenderHooks {
  onProgress?: (progress: ProgressEvent) => void;
  onPreview?: (preview: PreviewEvent) => void;
  /** Steps between previews; 0 or omitted: none. */
  previewEvery?: number;
  /**
   * Every finished picture, as soon as it is, with the summary of what is done so far. One that was given may come again
   * where the engine had to begin anew on another provider.
   */
  onImage?: (image: RenderedImage, index: number, summary: RenderSummary) => void;
  /** False: pictures go to `onImage` only, and the result has none; a long batch is never held in memory. */
  keepImages?: boolean;
  onWarning?: (warning: EngineWarning) => void;
  /** When to save half-drawn pictures; omitted: never. */
  checkpoints?: CheckpointPolicy;
  onCheckpoint?: (checkpoint: PictureCheckpoint) => void;
  /** What was saved of the first picture: it goes on from there. */
  resume?: Float32Array[];
}

/** What the engine process needs of an engine. */
export interface EngineApi {
  /** @throws ImpastoError `CANCELLED` at the first step after the signal, and every other failure of a job */
  render(request: RenderRequest, hooks: RenderHooks & { signal?: AbortSignal }): Promise<RenderResult>;
  /** Selects by clicks; beside a job too, between two of its runs. */
  segment(request: SegmentRequest): Promise<Segment>;
  devices(): DeviceReport | Promise<DeviceReport>;
  memory(): MemoryReport | Promise<MemoryReport>;
  /** What a picture is going to take. */
  estimate(request: EstimateRequest): Promise<MemoryEstimate>;
  /** Releases every session that is not in use. */
  releaseSessions(): Promise<void>;
  dispose(): Promise<void>;
}

/** A module that an engine process can run. */
export interface EngineModule {
  Engine: { create(settings: EngineSettings): Promise<EngineApi> };
}
