import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { asImpastoError, type ErrorCode } from '../../contract/errors.ts';
import { eventsUrl, sessionUrl, uploadUrl } from '../../contract/resources.ts';
import type { Answer } from '../../contract/routes.ts';
import { maxUploadBytes } from '../../contract/uploads.ts';
import type { Backend } from '../handlers/backend.ts';
import { readResource } from '../handlers/resources.ts';
import { Access, type Refusal } from './access.ts';
import { allowedHosts, shownHost } from './addresses.ts';
import { bodyChunks, readJson } from './body.ts';
import { EventsSocket } from './events-socket.ts';
import { cacheControl, commonHeaders, inertPolicy } from './headers.ts';
import { sendWindowFile } from './static-files.ts';

export interface ServerOptions {
  backend: Pick<Backend, 'call' | 'on' | 'resources' | 'uploads'>;
  /** Address to listen on. */
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Folder of the built window. */
  window: string;
  /** Hears of defects. */
  log?: (line: string) => void;
}

export interface ImpastoServer {
  /** The address to open, with the token in its fragment. */
  url: string;
  /** The address without the token, e.g. `http://127.0.0.1:4747`. */
  origin: string;
  port: number;
  token: string;
  /** Lets go of every listener and stops. */
  close(): Promise<void>;
}

/** Bytes of the JSON of one request: a batch of tens of thousands of jobs. */
export const maxJsonBytes = 32 * 2 ** 20;

/** Starts the HTTP and WebSocket face. @throws the system's error where the address cannot be had */
export async function startServer(options: ServerOptions): Promise<ImpastoServer> {
  const server = createServer({ maxHeaderSize: 16 * 1024, headersTimeout: 15_000, requestTimeout: 300_000 });
  server.maxConnections = 512;
  server.maxRequestsPerSocket = 10_000;
  await listening(server, options);
  const { port } = server.address() as AddressInfo;
  const access = new Access({ hosts: allowedHosts(options.host), port });
  const face = new HttpFace(options, access);
  const answer = (request: IncomingMessage, response: ServerResponse) => void face.answer(request, response);
  server.on('request', answer);
  // Otherwise Node says "go on" before it is known whether a body is wanted at all.
  server.on('checkContinue', answer);
  server.on('clientError', (_, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else socket.destroy();
  });
  const events = new EventsSocket();
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const refusal = refuseUpgrade(request, access);
    if (refusal) socket.end(`HTTP/1.1 ${refusal.status} Refused\r\nConnection: close\r\n\r\n`);
    else events.accept(request, socket, head);
  });
  const forget = options.backend.on((push) => events.push(push));
  const origin = `http://${shownHost(options.host)}:${port}`;
  return {
    url: `${origin}/#token=${access.token}`,
    origin,
    port,
    token: access.token,
    close: async () => {
      forget();
      events.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const hurry = setTimeout(() => server.closeAllConnections(), 2000);
      await closed;
      clearTimeout(hurry);
    },
  };
}

function listening(server: Server, { host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function refuseUpgrade(request: IncomingMessage, access: Access): Refusal | null {
  if (pathnameOf(request) !== eventsUrl) return { status: 403, reason: 'There is no such socket.' };
  return access.refuse(request, true);
}

class HttpFace {
  readonly #options: ServerOptions;
  readonly #access: Access;

  constructor(options: ServerOptions, access: Access) {
    this.#options = options;
    this.#access = access;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(commonHeaders)) response.setHeader(name, value);
    try {
      await this.#route(request, response);
    } catch (thrown) {
      const error = asImpastoError(thrown);
      if (error.code === 'INTERNAL') this.#options.log?.(String(error.stack));
      if (response.headersSent) response.destroy();
      else sendAnswer(request, response, { ok: false, error: error.toRecord() });
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pathname = pathnameOf(request);
    const reading = request.method === 'GET' || request.method === 'HEAD';
    const foreign = this.#access.refuseOrigin(request);
    if (foreign) return refuse(request, response, foreign);
    if (reading && !isPrivate(pathname)) {
      // The window itself holds nothing that is anybody's: it must load before it can show its token.
      if (await sendWindowFile(this.#options.window, pathname, request, response)) return;
      if (pathname === '/') return sendText(response, 503, 'The window is not built: run "npm run build" first.');
      return sendText(response, 404, 'There is nothing here.');
    }
    const refusal = this.#access.refuse(request, !reading);
    if (refusal) return refuse(request, response, refusal);
    if (reading) return await this.#sendResource(pathname, request, response);
    if (request.method !== 'POST')
      return refuse(request, response, { status: 405, reason: 'This cannot be done here.' });
    if (pathname === sessionUrl) return this.#openSession(request, response);
    if (pathname === uploadUrl) return await this.#upload(request, response);
    const route = /^\/api\/([\w.-]{1,64})$/.exec(pathname)?.[1];
    if (route === undefined) return refuse(request, response, { status: 404, reason: 'There is nothing here.' });
    const input = await readJson(request, response, maxJsonBytes);
    sendAnswer(request, response, await this.#options.backend.call(route, input));
  }

  /** Gives the cookie for the token, so that pictures can be fetched by their URLs. */
  #openSession(request: IncomingMessage, response: ServerResponse): void {
    if (this.#access.proofOf(request.headers) === 'token') response.setHeader('Set-Cookie', this.#access.cookie());
    response.writeHead(204).end();
  }

  async #upload(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const upload = await this.#options.backend.uploads.add(bodyChunks(request, response, maxUploadBytes));
    sendAnswer(request, response, { ok: true, output: upload });
  }

  async #sendResource(pathname: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const resource = await this.#options.backend.resources.find(pathname);
    if (!resource) return sendText(response, 404, 'There is nothing here.');
    const { etag, contentType, bytes, version } = resource;
    response.setHeader('ETag', etag);
    response.setHeader('Cache-Control', cacheControl(version, request.url ?? ''));
    response.setHeader('Content-Security-Policy', inertPolicy);
    if (request.headers['if-none-match'] === etag) return void response.writeHead(304).end();
    response.writeHead(200, { 'Content-Type': contentType, 'Content-Length': bytes });
    if (request.method === 'HEAD') return void response.end();
    readResource(resource)
      .on('error', () => response.destroy())
      .pipe(response);
  }
}

/** Whether a GET needs the token: everything that is a person's. */
function isPrivate(pathname: string): boolean {
  return /^\/(api|jobs|uploads|pictures|thumbnails|models|session|events)(\/|$)/.test(pathname);
}

/** The path as it was sent: `new URL` would resolve the dots that must be seen. */
function pathnameOf(request: IncomingMessage): string {
  return (request.url ?? '/').split(/[?#]/, 1)[0] || '/';
}

const statusOf: Partial<Record<ErrorCode, number>> = {
  BODY_TOO_LARGE: 413,
  BODY_INVALID: 400,
  ROUTE_UNKNOWN: 404,
  JOB_NOT_FOUND: 404,
  NOT_IN_LIBRARY: 404,
  FILE_NOT_FOUND: 404,
  INTERNAL: 500,
  DISK_FULL: 507,
};

function sendAnswer(request: IncomingMessage, response: ServerResponse, answer: Answer, status = 0): void {
  const body = Buffer.from(JSON.stringify(answer));
  const unread = !request.complete && request.method !== 'GET' && request.method !== 'HEAD';
  response.writeHead(status || (answer.ok ? 200 : (statusOf[answer.error.code] ?? 422)), {
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
    'Content-Security-Policy': inertPolicy,
    ...(unread && { Connection: 'close' }),
  });
  if (unread) lastWord(request, response, body);
  else response.end(body);
}

/** Milliseconds in which a sender may take note that its body is not wanted. */
const noteWait = 1000;

/**
 * Answers while a body is still coming in. Ending at once would reset the connection under the sender's hands, and the
 * answer would be lost with it: what comes is thrown away for a moment first.
 */
function lastWord(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  response.write(body);
  const end = () => {
    clearTimeout(timer);
    response.end(() => request.socket.destroy());
  };
  const timer = setTimeout(end, noteWait);
  request.once('end', end).once('close', end).resume();
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, reason }: { status: number; reason: string },
): void {
  const remedy = 'Open the address that Impasto printed when it started.';
  sendAnswer(request, response, { ok: false, error: { code: 'NOT_ALLOWED', message: reason, remedy } }, status);
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Security-Policy': inertPolicy });
  response.end(`${text}\n`);
}
