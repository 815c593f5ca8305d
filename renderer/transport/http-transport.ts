import { ImpastoError } from '../../contract/errors.ts';
import { type ImpastoEvent, parseEvent } from '../../contract/events.ts';
import { decodePreview, type JobPreview } from '../../contract/preview-frame.ts';
import { callUrl, eventsUrl, sessionUrl, uploadUrl } from '../../contract/resources.ts';
import { Answer, type RouteInput, type RouteName, type RouteOutput } from '../../contract/routes.ts';
import { Upload } from '../../contract/uploads.ts';
import { Listeners } from './listeners.ts';
import type { Connection, Transport } from './transport.ts';

/** Milliseconds between attempts to listen again, the first and the longest. */
const retryFirst = 500;
const retryMost = 8000;

/** Requests over HTTP, news over a WebSocket; the cookie that both need was given for the token. */
export class HttpTransport implements Transport {
  readonly #events = new Listeners<ImpastoEvent>();
  readonly #previews = new Listeners<JobPreview>();
  readonly #connections = new Listeners<Connection>();
  #connection: Connection = 'connecting';
  #wait = retryFirst;

  /** Shows the token of the address, if there is one, and begins to listen. */
  static async open(): Promise<HttpTransport> {
    const transport = new HttpTransport();
    const token = new URLSearchParams(location.hash.slice(1)).get('token');
    if (token !== null) {
      // Out of the address bar, its history and every screenshot; the cookie stands for it from here on.
      history.replaceState(null, '', location.pathname);
      await fetch(sessionUrl, { method: 'POST', headers: { Authorization: `Bearer ${token}` } }).catch(() => undefined);
    }
    transport.#listen();
    return transport;
  }

  async call<Name extends RouteName>(route: Name, input: RouteInput<Name>): Promise<RouteOutput<Name>> {
    const headers = { 'Content-Type': 'application/json' };
    return (await this.#answer(callUrl(route), { headers, body: JSON.stringify(input) })) as RouteOutput<Name>;
  }

  async upload(picture: Blob): Promise<Upload> {
    return Upload.parse(await this.#answer(uploadUrl, { body: picture }));
  }

  onEvent(listener: (event: ImpastoEvent) => void): () => void {
    return this.#events.add(listener);
  }

  onPreview(listener: (preview: JobPreview) => void): () => void {
    return this.#previews.add(listener);
  }

  onConnection(listener: (connection: Connection) => void): () => void {
    listener(this.#connection);
    return this.#connections.add(listener);
  }

  async #answer(url: string, init: RequestInit): Promise<unknown> {
    let answer: Answer;
    try {
      const response = await fetch(url, { method: 'POST', ...init });
      if (response.status === 401) this.#tell('refused');
      answer = Answer.parse(await response.json());
    } catch (thrown) {
      throw new ImpastoError('BACKEND_DIED', 'Impasto does not answer.', 'Check that it still runs, then try again.', {
        cause: thrown,
      });
    }
    if (answer.ok) return answer.output;
    throw ImpastoError.fromRecord(answer.error);
  }

  #listen(): void {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${eventsUrl}`);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#wait = retryFirst;
      this.#tell('open');
    };
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.#previews.tell(decodePreview(new Uint8Array(data)));
      else {
        const event = parseEvent(JSON.parse(String(data)));
        if (event) this.#events.tell(event);
      }
    };
    socket.onclose = () => {
      if (this.#connection !== 'refused') this.#tell('lost');
      setTimeout(() => this.#listen(), this.#wait);
      this.#wait = Math.min(this.#wait * 2, retryMost);
    };
  }

  #tell(connection: Connection): void {
    this.#connection = connection;
    this.#connections.tell(connection);
  }
}
