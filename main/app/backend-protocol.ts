import type { ErrorRecord } from '../../contract/errors.ts';
import type { ImpastoEvent } from '../../contract/events.ts';
import type { Answer } from '../../contract/routes.ts';
import type { Resource } from '../handlers/resources.ts';

/**
 * Between the app's window process, which is Electron, and what does the work, which is a plain Node: the database, the
 * picture library and the engine's parent never run inside Electron. Structured clone, so bytes travel as they are.
 */
export type ToBackend =
  | { type: 'call'; id: number; route: unknown; input: unknown }
  | { type: 'resource'; id: number; pathname: string }
  | { type: 'upload'; id: number; bytes: Uint8Array }
  | { type: 'stop' };

export type FromBackend =
  | { type: 'ready' }
  /** It could not start; the process ends. */
  | { type: 'failed'; error: ErrorRecord }
  | { type: 'answer'; id: number; answer: Answer }
  | { type: 'resource'; id: number; resource: Resource | null }
  | { type: 'event'; event: ImpastoEvent }
  | { type: 'preview'; frame: Uint8Array };
