import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';

const loopbackNames = ['127.0.0.1', 'localhost', '[::1]'];

/** Whether an address can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** As it stands in a URL. */
export function urlHost(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

/**
 * Names by which a server that listens on `host` may be called. For all interfaces: the machine's own addresses and
 * name, never any name, or a foreign one could be made to point here.
 */
export function allowedHosts(host: string): string[] {
  if (isLoopback(host)) return loopbackNames;
  if (host !== '0.0.0.0' && host !== '::') return [...loopbackNames, urlHost(host)];
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const name = hostname();
  return [...loopbackNames, name, `${name}.local`, ...own.map(({ address }) => urlHost(address.split('%')[0] ?? ''))];
}

/** The address to print: for all interfaces the first that another machine can reach. */
export function shownHost(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return urlHost(host);
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const reachable =
    own.find(({ internal, family }) => !internal && family === 'IPv4') ?? own.find(({ internal }) => !internal);
  return urlHost(reachable?.address ?? hostname());
}
