import { type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { asImpastoError, ImpastoError } from '../../../contract/errors.ts';
import type { HubFile } from '../../../contract/library.ts';
import { writeError } from '../../../models/weights/file-errors.ts';
import { checksumOf } from './checksum.ts';
import { cancelled, type HubClient, type HubResponse, unreachable } from './hub-client.ts';

export interface DownloadFileOptions {
  client: HubClient;
  id: string;
  commit: string;
  file: HubFile;
  /** Where it goes; until it is whole it is `TO.part`. */
  to: string;
  signal?: AbortSignal | undefined;
  /** Hears how many bytes of the file are here. */
  onBytes?: (received: number) => void;
  /** Milliseconds before each new attempt, so many attempts without a byte between them. */
  pauses?: readonly number[];
}

const standardPauses = [1000, 3000, 10_000, 30_000];

/** What is known of a half-fetched file. */
const State = z.object({ etag: z.string().nullable(), checksum: z.string().nullable(), bytes: z.number() });

/**
 * Fetches one file, going on from what an earlier attempt has left, and gives it its name when its checksum is right.
 * A connection that breaks is taken up again where it broke.
 * @throws ImpastoError `CHECKSUM_MISMATCH`, `HUB_...`, `CANCELLED`, `DISK_FULL`, `WRITE_FAILED`
 */
export async function downloadFile(options: DownloadFileOptions): Promise<void> {
  const { to, file } = options;
  const part = `${to}.part`;
  for (let attempt = 1; ; attempt += 1) {
    const resumed = await fetchWhole(options, part);
    if (resumed.matches !== false) break;
    await rm(part, { force: true });
    // What was kept from an earlier time may be the fault; a file that was fetched in one go is wrong at its source.
    if (attempt > 1 || !resumed.wasResumed) throw mismatch(options.id, file);
  }
  try {
    await rename(part, to);
    await rm(`${part}.json`, { force: true });
  } catch (thrown) {
    throw writeError(thrown, to);
  }
}

/** Bytes of a file that are here: whole, or so far. */
export async function bytesHere(file: HubFile, to: string): Promise<number> {
  const sizeOf = async (path: string) => (await stat(path).catch(() => null))?.size ?? 0;
  const whole = await sizeOf(to);
  return whole === file.bytes && whole > 0 ? whole : Math.min(file.bytes, await sizeOf(`${to}.part`));
}

async function fetchWhole(
  { client, id, commit, file, signal, onBytes = () => {}, pauses = standardPauses }: DownloadFileOptions,
  part: string,
): Promise<{ matches: boolean | null; wasResumed: boolean }> {
  const handle = await openPart(part, file);
  try {
    let checksum = checksumOf(file);
    let { etag, received } = handle;
    const wasResumed = received > 0;
    await readThrough(handle.file, received, checksum.update, signal);
    onBytes(received);
    for (let failures = 0; received < file.bytes || file.bytes === 0; ) {
      const before = received;
      try {
        const opened = await client.open(id, commit, file.path, { from: received, etag, signal });
        try {
          const start = startOf(opened.response, received, file);
          if (start === 0 && received > 0) {
            // Asked for the rest, it sends the whole (or says that there is no rest): the file has changed.
            checksum = checksumOf(file);
            received = 0;
            await handle.file.truncate(0);
          }
          if (opened.response.status === 416) throw unreachable(client.host, new Error('it has no rest of the file'));
          etag = strongEtag(opened);
          await saveState(part, file, etag);
          for await (const bytes of opened.response.body ?? []) {
            opened.idle.refresh();
            if (received + bytes.length > file.bytes) throw tooLong(id, file);
            await writeAll(handle.file, bytes, received);
            checksum.update(bytes);
            received += bytes.length;
            onBytes(received);
          }
        } finally {
          opened.idle.stop();
        }
        if (received >= file.bytes) break;
        throw unreachable(client.host, new Error(`the connection ended at byte ${received} of ${file.bytes}`));
      } catch (thrown) {
        if (signal?.aborted) throw cancelled();
        const error = networkError(thrown, client.host);
        if (error.code !== 'HUB_UNREACHABLE') throw error;
        failures = received > before ? 0 : failures + 1;
        const pause = pauses[Math.max(0, failures - 1)];
        if (pause === undefined) throw error;
        await wait(pause, undefined, { ...(signal ? { signal } : {}) }).catch(() => {
          throw cancelled();
        });
      }
    }
    await handle.file.sync();
    return { matches: checksum.matches(), wasResumed };
  } catch (thrown) {
    throw thrown instanceof ImpastoError ? thrown : writeError(thrown, part);
  } finally {
    await handle.file.close();
  }
}

/** Opens what an earlier attempt has left, where it is of the same file; else begins anew. */
async function openPart(
  part: string,
  file: HubFile,
): Promise<{ file: FileHandle; received: number; etag: string | null }> {
  try {
    await mkdir(dirname(part), { recursive: true });
    const state = await readState(part);
    // Without a checksum only the server can say, by the tag, that the rest belongs to what is here.
    const provable = file.checksum !== null || typeof state?.etag === 'string';
    const same = provable && state?.checksum === (file.checksum?.hex ?? null) && state.bytes === file.bytes;
    const handle = await open(part, same ? 'r+' : 'w+').catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === 'ENOENT') return open(part, 'w+');
      throw thrown;
    });
    const { size } = await handle.stat();
    const received = size <= file.bytes ? size : 0;
    if (received !== size) await handle.truncate(0);
    return { file: handle, received, etag: same ? state.etag : null };
  } catch (thrown) {
    throw writeError(thrown, part);
  }
}

async function readState(part: string): Promise<z.infer<typeof State> | null> {
  try {
    return State.parse(JSON.parse(await readFile(`${part}.json`, 'utf8')));
  } catch {
    return null;
  }
}

async function saveState(part: string, file: HubFile, etag: string | null): Promise<void> {
  const state = { etag, checksum: file.checksum?.hex ?? null, bytes: file.bytes };
  const handle = await open(`${part}.json`, 'w');
  try {
    await handle.writeFile(JSON.stringify(state));
  } finally {
    await handle.close();
  }
}

/** The bytes that are here already belong to the checksum. */
async function readThrough(
  file: FileHandle,
  length: number,
  hear: (bytes: Uint8Array) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const block = Buffer.allocUnsafe(1 << 20);
  for (let at = 0; at < length; ) {
    if (signal?.aborted) throw cancelled();
    const { bytesRead } = await file.read(block, 0, Math.min(block.length, length - at), at);
    if (bytesRead === 0) throw new Error('the file shrank while it was read');
    hear(block.subarray(0, bytesRead));
    at += bytesRead;
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await file.write(bytes, written, bytes.length - written, at + written)).bytesWritten;
  }
}

/** The byte that an answer begins at: a server may send the whole file where it was asked for the rest. */
function startOf(response: Response, asked: number, file: HubFile): number {
  if (response.status !== 206) return 0;
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  if (Number(range?.[1]) === asked && (range?.[2] === '*' || Number(range?.[2]) === file.bytes)) return asked;
  throw new ImpastoError(
    'HUB_UNREACHABLE',
    `The hub sends another part of ${file.path} than was asked for.`,
    'Try again.',
  );
}

/** Only a strong one says that the bytes are the same (RFC 9110, 13.1.5). */
function strongEtag({ response }: HubResponse): string | null {
  const etag = response.headers.get('etag');
  return etag?.startsWith('"') ? etag : null;
}

function networkError(thrown: unknown, host: string): ImpastoError {
  if (thrown instanceof ImpastoError) return thrown;
  // A disk's errors name a system call; a connection's do not, or come with `fetch`'s own.
  const { code, syscall } = thrown as NodeJS.ErrnoException;
  if (code && (syscall === 'write' || syscall === 'open' || syscall === 'ftruncate')) return asWriteError(thrown);
  return unreachable(host, thrown);
}

function asWriteError(thrown: unknown): ImpastoError {
  const error = writeError(thrown, 'the download');
  return error instanceof ImpastoError ? error : asImpastoError(error);
}

function mismatch(id: string, file: HubFile): ImpastoError {
  return new ImpastoError(
    'CHECKSUM_MISMATCH',
    `${file.path} of ${id} arrived with another checksum than the hub has for it: it was thrown away.`,
    'Try again; if it happens again, something between here and the hub changes what is sent.',
  );
}

function tooLong(id: string, file: HubFile): ImpastoError {
  return new ImpastoError(
    'CHECKSUM_MISMATCH',
    `${file.path} of ${id} is longer than the ${file.bytes} bytes that the hub has said.`,
    'Try again; if it happens again, something between here and the hub changes what is sent.',
  );
}
