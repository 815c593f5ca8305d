import { z } from 'zod';

/**
 * Pictures and masks that a window hands over. Their bytes travel as the body of `POST /uploads`, never in JSON; what
 * comes back is an id, which stands in a request as `upload:ID` wherever a path may stand.
 */

/** The first 128 bits of the SHA-256 of what was uploaded, in hex: the same picture is kept once. */
export const UploadId = z.string().regex(/^[0-9a-f]{32}$/, 'not the id of an upload');

export const Upload = z.object({
  id: UploadId,
  format: z.enum(['png', 'jpeg', 'webp', 'avif', 'tiff', 'gif']),
  /** As it is shown, pixels. */
  width: z.number().int(),
  height: z.number().int(),
  bytes: z.number().int(),
});
export type Upload = z.infer<typeof Upload>;

/** The most bytes of one upload. */
export const maxUploadBytes = 256 * 2 ** 20;

const reference = /^upload:([0-9a-f]{32})$/;

export function uploadReference(id: string): string {
  return `upload:${id}`;
}

/** The id in `upload:ID`; undefined where a path is something else, null where it is a reference that is not valid. */
export function uploadIdOf(path: string): string | null | undefined {
  if (!path.startsWith('upload:')) return undefined;
  return reference.exec(path)?.[1] ?? null;
}

/** The id in the name of an upload's own file, as requests that were drawn hold it; undefined for any other file. */
export function uploadIdOfFile(path: string): string | undefined {
  return /(?:^|[\\/])([0-9a-f]{32})\.[a-z]{3,4}$/.exec(path)?.[1];
}
