import { z } from 'zod';
import { HubDownload, LibraryFolders, ScanProgress } from './library.ts';
import { Job, JobId, JobPicture, JobProgress, QueueState } from './queue.ts';
import { Settings } from './settings.ts';
import { Warning } from './warning.ts';

/**
 * Everything that is told without being asked, by name. Previews are pixels and travel as binary frames
 * (`preview-frame.ts`).
 */
export const events = {
  /** These jobs are as given now: new, changed or moved. */
  'queue.jobs': z.object({ jobs: z.array(Job) }),
  'queue.removed': z.object({ ids: z.array(JobId) }),
  /** Much has changed, or another process has changed something: list again. */
  'queue.reload': z.object({}),
  'queue.state': QueueState,
  'queue.progress': z.object({ id: JobId, progress: JobProgress }),
  'queue.picture': z.object({ id: JobId, picture: JobPicture }),
  'engine.state': z.object({
    running: z.boolean(),
    pid: z.number().int().nullable(),
    /** Why it is not running where nobody asked it to end; empty otherwise. */
    reason: z.string(),
  }),
  'settings.changed': Settings,

  /** Models or adapters have come, gone or become better known: list again. Told at most five times a second. */
  'models.changed': z.object({}),
  /** The same of pictures. */
  'pictures.changed': z.object({}),
  'library.folders': LibraryFolders,
  /** How far a look through the folders is; `done` equals `total` at its end. */
  'library.progress': ScanProgress,
  'library.warning': Warning,
  /** A download as it is now: begun, further, stopped, failed or done. */
  'hub.download': HubDownload,
  'hub.removed': z.object({ id: z.number().int() }),
} as const;

export type Events = typeof events;
export type EventName = keyof Events;
export type EventData<Name extends EventName> = z.output<Events[Name]>;

/** One piece of news, as it travels. */
export type ImpastoEvent = { [Name in EventName]: { event: Name; data: EventData<Name> } }[EventName];

/**
 * Reads a piece of news from a wire; null for one that this version does not know.
 * @throws ZodError where it is known and malformed
 */
export function parseEvent(message: unknown): ImpastoEvent | null {
  const { event, data } = z.object({ event: z.string(), data: z.unknown() }).parse(message);
  if (!Object.hasOwn(events, event)) return null;
  const name = event as EventName;
  return { event: name, data: events[name].parse(data) } as ImpastoEvent;
}
