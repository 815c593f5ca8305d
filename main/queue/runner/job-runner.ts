import type {
  EngineWarning,
  PreviewEvent,
  ProgressEvent,
  RenderedImage,
  RenderSummary,
} from '../../../contract/engine.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import type { Checkpoint, NewCheckpoint } from '../jobs/checkpoints.ts';

/** Pictures of a batch that follow each other. */
export interface RenderTask {
  /** `seed` and `batch` are those of the pictures that are to be drawn now. */
  request: RenderRequest;
  /** What the first of them goes on from. */
  checkpoint: Checkpoint | null;
}

/** A picture's index counts from the first of the task. */
export interface JobHooks {
  onProgress(progress: ProgressEvent): void;
  onPreview(preview: PreviewEvent): void;
  onWarning(warning: EngineWarning): void;
  /** A finished picture, with what its metadata is made of. */
  onImage(image: RenderedImage, index: number, summary: RenderSummary): void;
  /** What is to be kept of a half-drawn picture, in addition to what was given before. */
  onCheckpoint(checkpoint: NewCheckpoint): void;
}

/** What draws. */
export interface JobRunner {
  /** Makes sure that it can draw. @throws ImpastoError why it cannot, whatever the job */
  ready(): Promise<void>;
  /**
   * Draws. Every picture has been given to `onImage` when it settles.
   * @throws ImpastoError `CANCELLED` after the signal, `ENGINE_DIED`, `OUT_OF_MEMORY` and what else a job can fail with
   */
  run(task: RenderTask, hooks: JobHooks, signal: AbortSignal): Promise<void>;
  /** What it last wrote before it died; empty where it did not. */
  log(): string;
  stop(): Promise<void>;
}
