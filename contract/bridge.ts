import type { ImpastoEvent } from './events.ts';
import type { Answer, RouteInput, RouteName } from './routes.ts';

/**
 * All that a window of the desktop app sees of it, as `window.impasto`. A browser has no such thing and speaks HTTP;
 * pictures and uploads go by the same URLs (`resources.ts`) in both.
 */
export interface ImpastoBridge {
  /** Answers one request; never rejects. */
  call<Name extends RouteName>(route: Name, input: RouteInput<Name>): Promise<Answer>;
  /** @returns what stops it */
  onEvent(listener: (event: ImpastoEvent) => void): () => void;
  /** Frames as `preview-frame.ts` writes them. @returns what stops it */
  onPreview(listener: (frame: Uint8Array) => void): () => void;
  /** Where a file that was dropped or chosen lies; empty where it lies nowhere. */
  pathOf(file: object): string;
  /** Asks the person for a path with the system's dialog; null where they changed their mind. */
  choosePath(what: ChosenKind): Promise<string | null>;
  /** Shows a web page in the person's browser; false where its address is not one that Impasto opens. */
  openOutside(url: string): Promise<boolean>;
}

export const chosenKinds = ['folder', 'model', 'picture'] as const;
export type ChosenKind = (typeof chosenKinds)[number];
