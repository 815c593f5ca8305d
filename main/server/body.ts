import type { IncomingMessage, ServerResponse } from 'node:http';
import { ImpastoError } from '../../contract/errors.ts';
import { tooLarge } from '../handlers/uploads.ts';

/**
 * A request's body, chunk by chunk, never more than `limit` bytes of it: one that says that it is larger is refused
 * before any of it is read, and one that does not say is cut off where it is.
 * @throws ImpastoError `BODY_TOO_LARGE`, `BODY_INVALID` where the sender goes away
 */
export async function* bodyChunks(
  request: IncomingMessage,
  response: ServerResponse,
  limit: number,
): AsyncGenerator<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  if (/^100-continue$/i.test(request.headers.expect ?? '')) response.writeContinue();
  let bytes = 0;
  try {
    // The request must outlive this, to be answered.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > limit) throw tooLarge(limit);
      yield chunk;
    }
  } catch (thrown) {
    if (thrown instanceof ImpastoError) throw thrown;
    throw new ImpastoError('BODY_INVALID', 'The request broke off.', 'Try again.', { cause: thrown });
  }
}

/** @throws ImpastoError `BODY_TOO_LARGE`, `BODY_INVALID` */
export async function readJson(request: IncomingMessage, response: ServerResponse, limit: number): Promise<unknown> {
  const [type] = (request.headers['content-type'] ?? '').split(';');
  // A page of another site can send plain text without asking, but not this.
  if (type?.trim().toLowerCase() !== 'application/json') throw invalid('The request must be application/json.');
  const chunks: Buffer[] = [];
  for await (const chunk of bodyChunks(request, response, limit)) chunks.push(chunk);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    throw invalid('The request is not JSON.');
  }
}

function invalid(message: string): ImpastoError {
  return new ImpastoError('BODY_INVALID', message, 'The window and Impasto may be of different versions: reload it.');
}
