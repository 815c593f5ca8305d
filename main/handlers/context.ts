import type { DeviceReport, EngineWarning, MemoryReport } from '../../contract/engine.ts';
import type { Library } from '../library/library.ts';
import type { ImpastoPaths } from '../queue/paths.ts';
import type { Queue } from '../queue/queue.ts';
import type { SettingsFile } from './settings-file.ts';
import type { Uploads } from './uploads.ts';

/** What the handlers ask of the engine; its jobs come from the queue. */
export interface EngineQuestions {
  devices(): Promise<DeviceReport>;
  memory(): Promise<MemoryReport>;
  release(): Promise<void>;
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
  /** What went wrong at the start and must be shown. */
  warnings: readonly EngineWarning[];
}
