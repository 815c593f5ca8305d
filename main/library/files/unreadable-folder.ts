import type { EngineWarning } from '../../../contract/engine.ts';
import { asImpastoError } from '../../../contract/errors.ts';

/** A folder that cannot be read (a disk that is not there) keeps what is known of it. */
export function unreadable(folder: string, thrown: unknown): EngineWarning {
  const { message } = asImpastoError(thrown);
  return { code: 'FOLDER_UNREADABLE', message: `${message} What the library knows of ${folder} is kept.` };
}
