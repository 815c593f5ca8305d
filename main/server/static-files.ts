import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { containedFile } from './contained-file.ts';
import { contentSecurityPolicy, inertPolicy } from './headers.ts';

/** What a built window consists of; nothing else is served from its folder. */
export const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
};

/** The file of the window that a URL's path names; null where there is none. */
export async function windowFile(root: string, pathname: string): Promise<{ path: string; type: string } | null> {
  const path = await containedFile(root, pathname === '/' ? '/index.html' : pathname);
  const type = path === null ? undefined : contentTypes[extname(path).toLowerCase()];
  return path !== null && type !== undefined ? { path, type } : null;
}

/** Sends a file of the window. @returns false where there is none of that name */
export async function sendWindowFile(
  root: string,
  pathname: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const found = await windowFile(root, pathname);
  if (!found) return false;
  const { path, type } = found;
  const { size } = await stat(path);
  const page = type.startsWith('text/html');
  response.writeHead(200, {
    'Content-Type': type,
    'Content-Length': size,
    // Vite names what it bundles by content.
    'Cache-Control': pathname.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    'Content-Security-Policy': page ? contentSecurityPolicy([`ws://${request.headers.host}`]) : inertPolicy,
  });
  if (request.method === 'HEAD') response.end();
  else
    createReadStream(path)
      .on('error', () => response.destroy())
      .pipe(response);
  return true;
}
