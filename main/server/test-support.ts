import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Answer } from '../../contract/routes.ts';
import { type Backend, openBackend } from '../handlers/backend.ts';
import { type ImpastoServer, startServer } from './server.ts';

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface TestServer extends ImpastoServer {
  backend: Backend;
  home: string;
  window: string;
  log: string[];
  /** Sends exactly these headers to exactly this path; nothing is tidied up, as a browser would. */
  send(options: {
    path: string;
    method?: string;
    headers?: Record<string, string>;
    body?: string | Uint8Array;
  }): Promise<Reply>;
  /** Calls a route with the token. */
  call(route: string, input: unknown): Promise<Answer>;
  end(): Promise<void>;
}

/** A real server on a real backend in a folder of its own; it draws nothing unless it is told to. */
export async function startTestServer(
  options: { host?: string; draw?: boolean; engineModule?: URL } = {},
): Promise<TestServer> {
  const root = mkdtempSync(join(tmpdir(), 'impasto-server-'));
  const window = join(root, 'window');
  mkdirSync(join(window, 'assets'), { recursive: true });
  writeFileSync(join(window, 'index.html'), '<!doctype html><title>Impasto</title>');
  writeFileSync(join(window, 'assets/app-1a2b.js'), 'export {};');
  writeFileSync(join(root, 'secret.txt'), 'secret');
  const home = join(root, 'home');
  const { draw = false, engineModule } = options;
  const log: string[] = [];
  const write = (line: string) => void log.push(line);
  const backend = await openBackend({
    home,
    name: 'test',
    draw,
    log: write,
    ...(engineModule && { engine: { engineModule } }),
  });
  const server = await startServer({ backend, host: options.host ?? '127.0.0.1', port: 0, window, log: write });
  const send: TestServer['send'] = ({ path, method = 'GET', headers = {}, body }) =>
    new Promise((resolve, reject) => {
      // A connection each: one kept from before is closed under a test that computes for some seconds.
      const options = { host: '127.0.0.1', port: server.port, path, method, headers, agent: false } as const;
      const sent = request({ ...options, setDefaultHeaders: true });
      sent.on('error', reject);
      sent.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
        );
      });
      sent.end(body);
    });
  return {
    ...server,
    backend,
    home,
    window,
    log,
    send,
    call: async (route, input) => {
      const headers = { Authorization: `Bearer ${server.token}`, 'Content-Type': 'application/json' };
      const reply = await send({ path: `/api/${route}`, method: 'POST', headers, body: JSON.stringify(input) });
      return JSON.parse(reply.body.toString('utf8')) as Answer;
    },
    end: async () => {
      await server.close();
      await backend.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
