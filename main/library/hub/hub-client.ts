import { z } from 'zod';
import { asImpastoError, ImpastoError } from '../../../contract/errors.ts';
import type { HubReference } from './hub-reference.ts';

export interface HubOptions {
  /** Where the hub is, `https://huggingface.co` by default. */
  host?: string;
  /** An access token of the hub; sent to the hub's host alone, and never told. */
  token?: string | undefined;
  /** Milliseconds without a byte after which a connection is given up; 30 s by default. */
  patience?: number;
}

export const publicHub = 'https://huggingface.co';

const maxRedirects = 10;
const maxJson = 32 * 1024 * 1024;

const licenceText = z.string().max(300);
/** What the hub says of a repository (https://huggingface.co/docs/hub/api), as far as it is needed. */
const ModelInfo = z.object({
  id: z.string(),
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  gated: z.union([z.boolean(), z.string()]).nullish(),
  tags: z.array(z.string()).nullish(),
  cardData: z
    .object({
      license: z.union([licenceText, z.array(licenceText)]).nullish(),
      license_name: licenceText.nullish(),
      license_link: z.string().max(2000).nullish(),
    })
    .nullish()
    .catch(null),
  siblings: z
    .array(
      z.object({
        rfilename: z.string().max(2000),
        size: z.number().int().min(0).nullish(),
        blobId: z.string().nullish(),
        lfs: z.object({ sha256: z.string().nullish(), size: z.number().int().min(0).nullish() }).nullish(),
      }),
    )
    .max(100_000),
});
export type ModelInfo = z.infer<typeof ModelInfo>;

/** Speaks the hub's HTTP protocol. */
export class HubClient {
  readonly host: string;
  readonly #token: string | undefined;
  readonly #patience: number;

  constructor({ host = publicHub, token, patience = 30_000 }: HubOptions = {}) {
    this.host = host.replace(/\/+$/, '');
    this.#token = token;
    this.#patience = patience;
  }

  /**
   * @throws ImpastoError `HUB_NOT_FOUND`, `HUB_REFUSED`, `HUB_UNREACHABLE`, `CANCELLED`
   */
  async modelInfo({ id, revision }: HubReference, signal?: AbortSignal): Promise<ModelInfo> {
    const url = `${this.host}/api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`;
    const { response, idle } = await this.#fetch(url, {}, id, signal);
    try {
      const bytes: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of response.body ?? []) {
        idle.refresh();
        length += chunk.length;
        if (length > maxJson) throw new ImpastoError('HUB_UNREACHABLE', `${url} answers without end.`, tryLater);
        bytes.push(chunk);
      }
      const parsed = ModelInfo.safeParse(JSON.parse(Buffer.concat(bytes).toString('utf8')));
      if (parsed.success) return parsed.data;
      throw new Error(z.prettifyError(parsed.error).split('\n')[0]);
    } catch (thrown) {
      if (thrown instanceof ImpastoError) throw thrown;
      if (signal?.aborted) throw cancelled();
      throw new ImpastoError(
        'HUB_UNREACHABLE',
        `${this.host} does not answer as the Hugging Face hub does: ${asImpastoError(thrown).message}.`,
        'Check the host, and whether a login page of your network is in between.',
        { cause: thrown },
      );
    } finally {
      idle.stop();
    }
  }

  /**
   * Opens a file from a byte on. The caller reads the body, and calls `idle.refresh` for each part and `idle.stop` at
   * the end.
   * @throws ImpastoError as {@link modelInfo}
   */
  async open(
    id: string,
    commit: string,
    path: string,
    { from = 0, etag = null, signal }: { from?: number; etag?: string | null; signal?: AbortSignal | undefined },
  ): Promise<HubResponse> {
    const url = `${this.host}/${id}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
    // A compressed body would have other lengths and offsets than the file.
    const headers: Record<string, string> = { 'accept-encoding': 'identity' };
    if (from > 0) {
      headers.range = `bytes=${from}-`;
      if (etag) headers['if-range'] = etag;
    }
    return await this.#fetch(url, headers, id, signal);
  }

  /** Follows redirects by hand: the token goes to the hub's own host and nowhere else. */
  async #fetch(
    address: string,
    headers: Record<string, string>,
    id: string,
    signal: AbortSignal | undefined,
  ): Promise<HubResponse> {
    const idle = new IdleTimer(this.#patience);
    const stop = signal ? AbortSignal.any([signal, idle.signal]) : idle.signal;
    let url = new URL(address);
    const linked: Headers = new Headers();
    try {
      for (let hop = 0; hop <= maxRedirects; hop += 1) {
        const own = url.origin === new URL(this.host).origin;
        const authorization = own && this.#token ? { authorization: `Bearer ${this.#token}` } : {};
        const response = await fetch(url, {
          headers: { 'user-agent': 'impasto', ...headers, ...authorization },
          redirect: 'manual',
          signal: stop,
        });
        for (const [name, value] of response.headers) if (name.startsWith('x-')) linked.set(name, value);
        idle.refresh();
        const location = response.headers.get('location');
        if (response.status < 300 || response.status >= 400 || !location) {
          if (response.ok || response.status === 416) return { response, linked, idle };
          await response.body?.cancel().catch(() => {});
          throw refusal(response, id, this.host, this.#token !== undefined);
        }
        await response.body?.cancel().catch(() => {});
        const next = new URL(location, url);
        if (next.protocol !== 'https:' && next.protocol !== new URL(this.host).protocol) {
          throw new ImpastoError('HUB_REFUSED', `The hub sends on to ${next.origin}, which is not secure.`, tryLater);
        }
        url = next;
      }
      throw new ImpastoError('HUB_UNREACHABLE', `${this.host} sends on without end.`, tryLater);
    } catch (thrown) {
      idle.stop();
      if (thrown instanceof ImpastoError) throw thrown;
      if (signal?.aborted) throw cancelled();
      throw unreachable(this.host, thrown);
    }
  }
}

export interface HubResponse {
  response: Response;
  /** `x-...` headers of the whole chain: the hub tells of a file where it sends on to its store. */
  linked: Headers;
  idle: IdleTimer;
}

/** Aborts when nothing has happened for a while. */
export class IdleTimer {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(patience: number) {
    this.#timer = setTimeout(() => this.#controller.abort(new Error(`no answer in ${patience / 1000} s`)), patience);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  refresh(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

const tryLater = 'Try again later; what has arrived is kept.';

export function cancelled(): ImpastoError {
  return new ImpastoError('CANCELLED', 'The download was stopped.', 'Start it again: what has arrived is kept.');
}

export function unreachable(host: string, thrown: unknown): ImpastoError {
  const error = thrown as Error & { cause?: Error };
  const because = error?.cause?.message || error?.message || String(thrown);
  return new ImpastoError('HUB_UNREACHABLE', `${host} cannot be reached: ${because}.`, tryLater, { cause: thrown });
}

/** What the hub's refusal means: its `X-Error-Code` is more exact than the status. */
function refusal(response: Response, id: string, host: string, hasToken: boolean): ImpastoError {
  const code = response.headers.get('x-error-code') ?? '';
  const { status } = response;
  const page = `${host}/${id}`;
  if (code === 'GatedRepo' || (status === 403 && code === '')) {
    return new ImpastoError(
      'HUB_REFUSED',
      `${id} is gated: its author lets only those have it who agreed to the terms on its page.`,
      hasToken
        ? `Agree to the terms at ${page} with the account whose token this is.`
        : `Agree to the terms at ${page}, then start Impasto with an access token of your account in HF_TOKEN.`,
    );
  }
  if (code === 'EntryNotFound') return new ImpastoError('HUB_NOT_FOUND', `${id} has no such file.`, `See ${page}.`);
  if (code === 'RevisionNotFound') {
    return new ImpastoError('HUB_NOT_FOUND', `${id} has no such revision.`, `See the branches and tags at ${page}.`);
  }
  // Without a token the hub does not tell what is private from what is not there.
  if (status === 404 || code === 'RepoNotFound' || (status === 401 && !hasToken)) {
    return new ImpastoError(
      'HUB_NOT_FOUND',
      `The hub has no public model ${id}.`,
      hasToken
        ? 'Check the name.'
        : 'Check the name; if it is private, start Impasto with an access token of your account in HF_TOKEN.',
    );
  }
  if (status === 401 || status === 403) {
    return new ImpastoError('HUB_REFUSED', `The hub refuses ${id}: the token is not valid for it.`, 'Check the token.');
  }
  const retryable = status === 429 || status >= 500;
  return new ImpastoError(
    retryable ? 'HUB_UNREACHABLE' : 'HUB_REFUSED',
    `The hub answers ${status} ${response.statusText} for ${id}.`,
    tryLater,
  );
}
