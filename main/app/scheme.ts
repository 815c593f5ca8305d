import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { byteSize } from '../../contract/byte-size.ts';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import { uploadUrl } from '../../contract/resources.ts';
import type { Answer } from '../../contract/routes.ts';
import { maxUploadBytes } from '../../contract/uploads.ts';
import type { Resource } from '../handlers/resources.ts';
import { cacheControl, commonHeaders, contentSecurityPolicy, inertPolicy } from '../server/headers.ts';
import { windowFile } from '../server/static-files.ts';
import { appOrigin, isOwnPage } from './security.ts';

export interface SchemeSources {
  /** Folder of the built window. */
  window: string;
  resource(pathname: string): Promise<Resource | null>;
  upload(bytes: Uint8Array): Promise<Answer>;
}

/** Answers what a window fetches from `impasto://app`: its own files, pictures by their ids, and uploads. */
export async function answerScheme(request: Request, sources: SchemeSources): Promise<Response> {
  try {
    if (!isOwnPage(request.url)) return refused(403);
    const origin = request.headers.get('origin');
    if (origin !== null && origin !== appOrigin) return refused(403);
    const pathname = pathnameOf(request.url);
    if (request.method === 'POST' && pathname === uploadUrl) return await upload(request, sources);
    if (request.method !== 'GET' && request.method !== 'HEAD') return refused(405);
    return (
      (await windowResponse(request, pathname, sources)) ??
      (await pictureResponse(request, pathname, sources)) ??
      refused(404)
    );
  } catch (thrown) {
    return answered({ ok: false, error: asImpastoError(thrown).toRecord() });
  }
}

async function windowResponse(request: Request, pathname: string, { window }: SchemeSources): Promise<Response | null> {
  const found = await windowFile(window, pathname);
  if (!found) return null;
  const page = found.type.startsWith('text/html');
  return stream(request, found.path, {
    'Content-Type': found.type,
    'Content-Security-Policy': page ? contentSecurityPolicy() : inertPolicy,
  });
}

async function pictureResponse(request: Request, pathname: string, sources: SchemeSources): Promise<Response | null> {
  const resource = await sources.resource(pathname);
  if (!resource) return null;
  const { etag, path, contentType, bytes, version } = resource;
  const headers = {
    ETag: etag,
    'Cache-Control': cacheControl(version, request.url),
    'Content-Security-Policy': inertPolicy,
  };
  if (request.headers.get('if-none-match') === etag) {
    return new Response(null, { status: 304, headers: { ...commonHeaders, ...headers } });
  }
  return stream(request, path, { ...headers, 'Content-Type': contentType, 'Content-Length': String(bytes) });
}

function stream(request: Request, path: string, headers: Record<string, string>): Response {
  const body =
    request.method === 'HEAD' ? null : (Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>);
  return new Response(body, { headers: { ...commonHeaders, ...headers } });
}

async function upload(request: Request, sources: SchemeSources): Promise<Response> {
  const said = Number(request.headers.get('content-length') ?? 0);
  const bytes = said > maxUploadBytes ? null : await readAtMost(request.body, maxUploadBytes);
  if (bytes === null) return answered({ ok: false, error: tooLarge() }, 413);
  return answered(await sources.upload(bytes));
}

async function readAtMost(body: ReadableStream<Uint8Array> | null, limit: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > limit) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): ErrorRecord {
  return {
    code: 'BODY_TOO_LARGE',
    message: `That is more than ${byteSize(maxUploadBytes)}.`,
    remedy: 'Drop the file itself, or make it smaller.',
  };
}

function answered(answer: Answer, status = answer.ok ? 200 : 422): Response {
  return Response.json(answer, { status, headers: { ...commonHeaders, 'Content-Security-Policy': inertPolicy } });
}

function refused(status: number): Response {
  return new Response('There is nothing here.\n', {
    status,
    headers: { ...commonHeaders, 'Content-Security-Policy': inertPolicy },
  });
}

/** The path as it was sent: a URL object would resolve what must be seen. */
function pathnameOf(url: string): string {
  return url.slice(appOrigin.length).split(/[?#]/, 1)[0] || '/';
}
