import { assertNever } from '../../contract/assert-never.ts';
import type { ImpastoEvent } from '../../contract/events.ts';
import type { LibraryEvent } from '../../contract/library.ts';
import type { JobPreview } from '../../contract/preview-frame.ts';
import type { QueueEvent } from '../../contract/queue.ts';

/** What every face passes on to its windows: news as JSON, previews as frames of bytes. */
export type Push = { kind: 'event'; event: ImpastoEvent } | { kind: 'preview'; preview: JobPreview };

/** What the queue tells, as it is pushed. */
export function pushOf(event: QueueEvent): Push {
  switch (event.type) {
    case 'jobs':
      return news({ event: 'queue.jobs', data: { jobs: event.jobs } });
    case 'removed':
      return news({ event: 'queue.removed', data: { ids: event.ids } });
    case 'reload':
      return news({ event: 'queue.reload', data: {} });
    case 'queue':
      return news({ event: 'queue.state', data: event.state });
    case 'progress':
      return news({ event: 'queue.progress', data: { id: event.id, progress: event.progress } });
    case 'picture':
      return news({ event: 'queue.picture', data: { id: event.id, picture: event.picture } });
    case 'preview':
      return { kind: 'preview', preview: { job: event.id, ...event.preview } };
    default:
      return assertNever(event);
  }
}

/** What the library tells, as it is pushed. */
export function libraryPush(event: LibraryEvent): Push {
  switch (event.type) {
    case 'models-changed':
      return news({ event: 'models.changed', data: {} });
    case 'pictures-changed':
      return news({ event: 'pictures.changed', data: {} });
    case 'folders':
      return news({ event: 'library.folders', data: event.folders });
    case 'progress':
      return news({ event: 'library.progress', data: event.progress });
    case 'warning':
      return news({ event: 'library.warning', data: event.warning });
    case 'download':
      return news({ event: 'hub.download', data: event.download });
    case 'download-removed':
      return news({ event: 'hub.removed', data: { id: event.id } });
    default:
      return assertNever(event);
  }
}

export function news(event: ImpastoEvent): Push {
  return { kind: 'event', event };
}
