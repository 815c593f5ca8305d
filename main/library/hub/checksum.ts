import { createHash, type Hash } from 'node:crypto';
import type { HubFile } from '../../../contract/library.ts';

/** Follows a file's bytes and tells whether they are those that the hub has. */
export interface Checksum {
  update(bytes: Uint8Array): void;
  /** Null where the hub has given nothing to compare with. */
  matches(): boolean | null;
}

/** Large files by the SHA-256 of their content, small ones by git's name of their blob. */
export function checksumOf({ checksum, bytes }: HubFile): Checksum {
  if (!checksum) return { update: () => {}, matches: () => null };
  const hash: Hash = createHash(checksum.algorithm === 'sha256' ? 'sha256' : 'sha1');
  if (checksum.algorithm === 'git-sha1') hash.update(`blob ${bytes}\0`);
  return { update: (part) => void hash.update(part), matches: () => hash.digest('hex') === checksum.hex };
}
