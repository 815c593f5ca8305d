import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as a server saw it. */
export interface Seen {
  path: string;
  authorization: string | undefined;
  range: string | undefined;
  ifRange: string | undefined;
}

export interface StubRepository {
  files: Record<string, Buffer>;
  licence?: string;
  gated?: boolean;
  /** Names that the hub claims besides its files. */
  claims?: string[];
}

/**
 * Speaks the hub's protocol: the API, `resolve` with what the hub says of a file in its headers, and large files by a
 * redirect to a store on another origin. Its faults can be set.
 */
export class HubServer {
  readonly repositories = new Map<string, StubRepository>();
  readonly hub: Seen[] = [];
  readonly store: Seen[] = [];
  /** Faults of the store, each used up by one answer to a path that ends so. */
  faults: { path: string; fault: 'cut' | 'corrupt' | 'stall' | 'ignore-range' | 'error' | 'redirect-loop' }[] = [];
  /** Bytes after which a cut or a stall comes. */
  cutAt = 50_000;
  /** The token that opens gated repositories. */
  token = 'hf_secret_token';
  commit = 'a'.repeat(40);
  #hubServer: Server;
  #storeServer: Server;

  constructor() {
    this.#hubServer = createServer((request, response) => this.#answerHub(request, response));
    this.#storeServer = createServer((request, response) => this.#answerStore(request, response));
  }

  async start(): Promise<void> {
    for (const server of [this.#hubServer, this.#storeServer]) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
  }

  async stop(): Promise<void> {
    for (const server of [this.#hubServer, this.#storeServer]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  get host(): string {
    return `http://127.0.0.1:${(this.#hubServer.address() as AddressInfo).port}`;
  }

  get #storeHost(): string {
    // Another origin: another port, and another name of this machine.
    return `http://localhost:${(this.#storeServer.address() as AddressInfo).port}`;
  }

  #answerHub(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', this.host);
    this.hub.push(seen(url.pathname, request));
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/([^/]+)$/.exec(url.pathname);
    const resolved = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
    const id = api?.[1] ?? resolved?.[1] ?? '';
    const repository = this.repositories.get(id);
    const refuse = (status: number, code: string) => response.writeHead(status, { 'x-error-code': code }).end('{}');
    if (!repository) return void refuse(request.headers.authorization ? 404 : 401, 'RepoNotFound');
    const revision = decodeURIComponent(api?.[2] ?? resolved?.[2] ?? '');
    if (revision !== 'main' && revision !== this.commit) return void refuse(404, 'RevisionNotFound');
    if (api)
      return void response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify(this.#info(id, repository)));
    if (repository.gated && request.headers.authorization !== `Bearer ${this.token}`) {
      return void refuse(request.headers.authorization ? 403 : 401, 'GatedRepo');
    }
    const path = decodeURIComponent(resolved?.[3] ?? '');
    const bytes = repository.files[path];
    if (!bytes) return void refuse(404, 'EntryNotFound');
    const common = { 'x-repo-commit': this.commit, 'x-linked-size': String(bytes.length) };
    if (!isLarge(path)) {
      return void response
        .writeHead(200, { ...common, etag: `"${gitSha1(bytes)}"`, 'content-length': bytes.length })
        .end(bytes);
    }
    const location = `${this.#storeHost}/${id}/${encodeURI(path)}?signature=abc`;
    response.writeHead(302, { ...common, 'x-linked-etag': `"${sha256(bytes)}"`, location }).end();
  }

  #info(id: string, { files, licence, gated, claims = [] }: StubRepository) {
    const siblings = Object.entries(files).map(([rfilename, bytes]) => ({
      rfilename,
      size: bytes.length,
      blobId: gitSha1(bytes),
      ...(isLarge(rfilename) ? { lfs: { sha256: sha256(bytes), size: bytes.length, pointerSize: 134 } } : {}),
    }));
    return {
      id,
      sha: this.commit,
      gated: gated ? 'manual' : false,
      tags: ['diffusers'],
      cardData: licence ? { license: licence } : {},
      siblings: [...siblings, ...claims.map((rfilename) => ({ rfilename, size: 4 }))],
    };
  }

  #answerStore(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', this.#storeHost);
    this.store.push(seen(url.pathname, request));
    const [, owner, name, ...rest] = decodeURI(url.pathname).split('/');
    const path = rest.join('/');
    const bytes = this.repositories.get(`${owner}/${name}`)?.files[path];
    if (!bytes) return void response.writeHead(404).end();
    const at = this.faults.findIndex((fault) => path.endsWith(fault.path));
    const fault = at < 0 ? undefined : this.faults.splice(at, 1)[0]?.fault;
    if (fault === 'error') return void response.writeHead(503).end();
    if (fault === 'redirect-loop') return void response.writeHead(302, { location: request.url ?? '' }).end();
    const etag = `"${sha256(bytes).slice(0, 32)}"`;
    const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const valid = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
    const from = asked && valid && fault !== 'ignore-range' ? Number(asked[1]) : 0;
    let body: Buffer = bytes.subarray(from);
    if (fault === 'corrupt')
      body = Buffer.from(body.map((byte, index) => (index === body.length >> 1 ? byte ^ 1 : byte)));
    const range = from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
    response.writeHead(from > 0 ? 206 : 200, { etag, 'content-length': body.length, ...range });
    if (fault === 'cut') response.write(body.subarray(0, this.cutAt), () => setTimeout(() => response.destroy(), 250));
    else if (fault === 'stall') response.write(body.subarray(0, this.cutAt));
    else response.end(body);
  }
}

function isLarge(path: string): boolean {
  return /\.(?:safetensors|bin|ckpt|onnx)$/.test(path);
}

function seen(path: string, { headers }: IncomingMessage): Seen {
  return { path, authorization: headers.authorization, range: headers.range, ifRange: headers['if-range'] as string };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function gitSha1(bytes: Buffer): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}
