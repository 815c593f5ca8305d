import type { ErrorRecord } from '../../../contract/errors.ts';
import type { FileHashes } from '../models/hash-file.ts';
import type { ModelFacts } from '../models/identify-model.ts';
import type { Sidecar } from '../models/sidecar-files.ts';
import type { FoundModel } from '../models/walk-models.ts';

/** What the reader process is asked, and what it answers. */
export interface ReaderTasks {
  identify: {
    input: Pick<FoundModel, 'path' | 'layout' | 'sidecars'>;
    output: { facts: ModelFacts; sidecar: Sidecar };
  };
  hash: { input: { path: string }; output: FileHashes };
}
export type ReaderTask = keyof ReaderTasks;

export interface ReaderCommand<T extends ReaderTask = ReaderTask> {
  id: number;
  task: T;
  input: ReaderTasks[T]['input'];
}

export type ReaderAnswer =
  | { id: number; ok: true; output: ReaderTasks[ReaderTask]['output'] }
  | { id: number; ok: false; error: ErrorRecord };
