import type { DeviceReport, EngineWarning, MemoryReport, Segment, SegmentRequest } from '../../contract/engine.ts';
import type { EstimateRequest, MemoryEstimate } from '../../contract/memory-estimate.ts';
import type { Library } from '../library/library.ts';
import type { ImpastoPaths } from '../queue/paths.ts';
import type { Queue } from '../queue/queue.ts';
import type { Background } from './background/background.ts';
import type { SettingsFile } from './settings-file.ts';
import type { Uploads } from './uploads.ts';

/** What the handlers ask of the engine; its jobs come from the queue. */
export interface EngineQuestions {
  devices(): Promise<DeviceReport>;
  memory(): Promise<MemoryReport>;
  estimate(request: EstimateRequest): Promise<MemoryEstimate>;
  release(): Promise<void>;
  segment(request: SegmentRequest): Promise<Segment>;
}

/** Everything that handlers work on. */
export interface HandlerContext {
  version: string;
  paths: ImpastoPaths;
  queue: Queue;
  library: Library;
  engine: EngineQuestions;
  settings: SettingsFile;
  uploads: Uploads;
  /** Threads, one for adapters and one for pictures: a click does not wait for a spectrum. */
  adapterTools: Background;
  pictureTools: Background;
  /** What went wrong at the start and must be shown. */
  warnings: readonly EngineWarning[];
}
