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
