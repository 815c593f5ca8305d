import { ImpastoError } from '../../contract/errors.ts';

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
}

/** What the operating system said about reading `path`, in one clear error. */
export function readError(thrown: unknown, path: string): ImpastoError {
  if (thrown instanceof ImpastoError) return thrown;
  const options = { cause: thrown };
  switch (codeOf(thrown)) {
    case 'ENOENT':
      return new ImpastoError('FILE_NOT_FOUND', `${path} does not exist.`, 'Check the path.', options);
    case 'ENOTDIR':
      return new ImpastoError(
        'FILE_NOT_FOUND',
        `${path}: a part of the path is not a folder.`,
        'Check the path.',
        options,
      );
    case 'EACCES':
    case 'EPERM':
      return new ImpastoError(
        'FILE_UNREADABLE',
        `You may not read ${path}.`,
        'Give your account the right to read it (on a folder: to open it too).',
        options,
      );
    case 'ELOOP':
      return new ImpastoError('FILE_UNREADABLE', `${path} is a link that leads to itself.`, 'Mend the link.', options);
    default: {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      return new ImpastoError(
        'FILE_UNREADABLE',
        `${path} could not be read: ${reason}`,
        'Check the disk or the network drive that holds it.',
        options,
      );
    }
  }
}

/** What the operating system said about writing `path`, in one clear error. */
export function writeError(thrown: unknown, path: string): ImpastoError {
  if (thrown instanceof ImpastoError) return thrown;
  const options = { cause: thrown };
  const code = codeOf(thrown);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ImpastoError(
      'DISK_FULL',
      `The disk is full: ${path} was not written.`,
      'Make room and try again.',
      options,
    );
  }
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new ImpastoError(
    'WRITE_FAILED',
    `${path} was not written: ${reason}`,
    'Check the folder and your rights in it.',
    options,
  );
}
