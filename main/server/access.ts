import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

export interface AccessOptions {
  /** Names and addresses by which this server may be called, without a port; IPv6 in brackets. */
  hosts: readonly string[];
  port: number;
}

/** Why a request is refused: the HTTP status and a line for whoever reads the log of a proxy or a script. */
export interface Refusal {
  status: 401 | 403 | 421;
  reason: string;
}

/** What a request says of itself. */
export type Asking = Pick<IncomingMessage, 'headers' | 'headersDistinct'>;

export type Proof = 'token' | 'cookie';

/**
 * Who may speak to this server. Any web page can send requests to a loopback address, and any name can be made to point
 * to it (DNS rebinding), so a request must name a host that is ours, come from a page that is ours, and prove that it
 * knows the secret that was printed at the start.
 */
export class Access {
  /** Made anew at each start; printed once, in the fragment of the address, which browsers never send. */
  readonly token = secret();
  readonly #cookie = secret();
  readonly #cookieName: string;
  readonly #hosts: ReadonlySet<string>;

  constructor({ hosts, port }: AccessOptions) {
    this.#hosts = new Set(hosts.flatMap((host) => namesOf(host.toLowerCase(), port)));
    // Cookies know no ports: two servers on one machine must not overwrite each other's.
    this.#cookieName = `impasto-${port}`;
  }

  /** Checks where a request was sent to and which page it comes from; null where both are ours. */
  refuseOrigin({ headers, headersDistinct }: Asking): Refusal | null {
    const host = headers.host?.toLowerCase();
    // Two of them: this server would heed one and a proxy before it the other.
    if (host === undefined || !this.#hosts.has(host) || headersDistinct.host?.length !== 1) {
      return { status: 421, reason: 'This is not the name of this server.' };
    }
    const { origin } = headers;
    if (origin !== undefined && origin.toLowerCase() !== `http://${host}`) {
      return { status: 403, reason: 'Requests of other pages are refused.' };
    }
    const site = headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      return { status: 403, reason: 'Requests of other pages are refused.' };
    }
    return null;
  }

  /** How a request proves that it may, by the printed token or by the cookie that was given for it; null: not at all. */
  proofOf(headers: IncomingHttpHeaders): Proof | null {
    const bearer = /^Bearer ([\w-]{1,128})$/.exec(headers.authorization ?? '')?.[1];
    if (bearer !== undefined && same(bearer, this.token)) return 'token';
    const cookies = (headers.cookie ?? '').split(';').map((cookie) => cookie.trim());
    const given = cookies.filter((cookie) => cookie.startsWith(`${this.#cookieName}=`));
    return given.some((cookie) => same(cookie.slice(this.#cookieName.length + 1), this.#cookie)) ? 'cookie' : null;
  }

  /** @param changes whether the request can change something: a cookie then does only with its page's origin */
  refuse(asking: Asking, changes: boolean): Refusal | null {
    const foreign = this.refuseOrigin(asking);
    if (foreign) return foreign;
    const { headers } = asking;
    const proof = this.proofOf(headers);
    if (proof === null) {
      return { status: 401, reason: 'Open the address that Impasto printed when it started, with its token.' };
    }
    if (proof === 'cookie' && changes && headers.origin === undefined) {
      return { status: 403, reason: 'A request without an origin needs the token itself.' };
    }
    return null;
  }

  /** `Set-Cookie` for a browser that has shown the token: unseen by scripts, never sent from other sites. */
  cookie(): string {
    return `${this.#cookieName}=${this.#cookie}; HttpOnly; SameSite=Strict; Path=/`;
  }
}

function secret(): string {
  return randomBytes(32).toString('base64url');
}

/** Compares in a time that tells nothing of where they differ, nor of the length. */
function same(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/** As a `Host` header has it; the default port is left out by browsers. */
function namesOf(host: string, port: number): string[] {
  return port === 80 ? [host, `${host}:80`] : [`${host}:${port}`];
}
