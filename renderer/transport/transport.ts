import type { ImpastoEvent } from '../../contract/events.ts';
import type { JobPreview } from '../../contract/preview-frame.ts';
import type { RouteInput, RouteName, RouteOutput } from '../../contract/routes.ts';
import type { Upload } from '../../contract/uploads.ts';

/** Whether news can be heard; `refused`: this window was opened without its token. */
export type Connection = 'connecting' | 'open' | 'lost' | 'refused';

/** The one way in which the window speaks with the rest of Impasto. */
export interface Transport {
  /** @throws ImpastoError what the route refused, or `BACKEND_DIED` where nobody answers */
  call<Name extends RouteName>(route: Name, input: RouteInput<Name>): Promise<RouteOutput<Name>>;
  /** Hands over a picture's bytes. @throws ImpastoError */
  upload(picture: Blob): Promise<Upload>;
  /** @returns what stops it */
  onEvent(listener: (event: ImpastoEvent) => void): () => void;
  onPreview(listener: (preview: JobPreview) => void): () => void;
  onConnection(listener: (connection: Connection) => void): () => void;
  /** Where a file that was dropped lies, empty: nowhere; absent where nobody can say (a browser). */
  pathOf?(file: File): string;
  /** Asks for a model with the system's dialog, null: none was chosen; absent where there is none (a browser). */
  chooseModel?(what: 'folder' | 'model'): Promise<string | null>;
}
