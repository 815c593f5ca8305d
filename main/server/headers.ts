/**
 * What a page of ours may do: run its own scripts, and talk to where it came from. Nothing is loaded from elsewhere, so
 * a prompt with HTML in it has nowhere to send anything.
 * @param connect where besides its own origin the page may connect to: the WebSocket
 */
export function contentSecurityPolicy(connect: readonly string[] = []): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "font-src 'self'",
    `connect-src ${["'self'", ...connect].join(' ')}`,
    "worker-src 'self' blob:",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** On every answer, whatever it holds. */
export const commonHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'X-Frame-Options': 'DENY',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), usb=(), serial=(), hid=(), payment=()',
} as const;

/** For what is no page of ours: opened by itself it can do nothing. */
export const inertPolicy = "default-src 'none'; sandbox; frame-ancestors 'none'";

/**
 * How long a browser may keep a picture: for good where its URL says which version of it is meant.
 * @param version the file's own; null where it has none
 * @param url with its query
 */
export function cacheControl(version: string | null, url: string): string {
  const asked = new URLSearchParams(/\?([^#]*)/.exec(url)?.[1]).get('v');
  return version !== null && asked === version ? 'private, max-age=31536000, immutable' : 'private, no-cache';
}
