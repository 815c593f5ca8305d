import type { ImpastoBridge } from '../../contract/bridge.ts';
import { ImpastoError } from '../../contract/errors.ts';
import type { ImpastoEvent } from '../../contract/events.ts';
import { decodePreview, type JobPreview } from '../../contract/preview-frame.ts';
import { uploadUrl } from '../../contract/resources.ts';
import { Answer, type RouteInput, type RouteName, type RouteOutput } from '../../contract/routes.ts';
import { Upload } from '../../contract/uploads.ts';
import type { Connection, Transport } from './transport.ts';

/** Speaks with the desktop app through the bridge that its preload script lays; uploads go by URL as in a browser. */
export class BridgeTransport implements Transport {
  readonly #bridge: ImpastoBridge;

  constructor(bridge: ImpastoBridge) {
    this.#bridge = bridge;
  }

  async call<Name extends RouteName>(route: Name, input: RouteInput<Name>): Promise<RouteOutput<Name>> {
    return outputOf(await this.#bridge.call(route, input)) as RouteOutput<Name>;
  }

  async upload(picture: Blob): Promise<Upload> {
    const response = await fetch(uploadUrl, { method: 'POST', body: picture });
    return Upload.parse(outputOf(Answer.parse(await response.json())));
  }

  onEvent(listener: (event: ImpastoEvent) => void): () => void {
    return this.#bridge.onEvent(listener);
  }

  onPreview(listener: (preview: JobPreview) => void): () => void {
    return this.#bridge.onPreview((frame) => listener(decodePreview(frame)));
  }

  /** The bridge is there as long as the window is. */
  onConnection(listener: (connection: Connection) => void): () => void {
    listener('open');
    return () => {};
  }

  pathOf(file: File): string {
    return this.#bridge.pathOf(file);
  }

  chooseModel(what: 'folder' | 'model'): Promise<string | null> {
    return this.#bridge.choosePath(what);
  }
}

function outputOf(answer: Answer): unknown {
  if (answer.ok) return answer.output;
  throw ImpastoError.fromRecord(answer.error);
}
