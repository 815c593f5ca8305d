import { ImpastoError } from '../../../contract/errors.ts';

export function binUnavailable(path: string, thrown: unknown): ImpastoError {
  const because = thrown instanceof Error ? thrown.message : String(thrown);
  return new ImpastoError(
    'BIN_UNAVAILABLE',
    `${path} could not be moved to the bin: ${because.replace(/\.$/, '')}.`,
    "It is where it was. Delete it in the system's file manager if you want it gone.",
    { cause: thrown },
  );
}

/** Puts a file back to where it was. @throws ImpastoError `FILE_NOT_FOUND`, `WRITE_FAILED`; the file is in the bin then */
export type TakeBack = () => Promise<void>;

export function notTakenBack(path: string, thrown: unknown): ImpastoError {
  if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') {
    return new ImpastoError('FILE_NOT_FOUND', `${path} is not in the bin any more.`, 'The bin may have been emptied.');
  }
  const because = thrown instanceof Error ? thrown.message : String(thrown);
  return new ImpastoError(
    'WRITE_FAILED',
    `${path} could not be taken back: ${because.replace(/\.$/, '')}.`,
    "It is in the bin: take it back in the system's file manager.",
    { cause: thrown },
  );
}
