import { ImpastoError } from '../../contract/errors.ts';
import type { RenderRequest } from '../../contract/request.ts';
import { mapRequestPaths } from '../../contract/request-paths.ts';
import { uploadIdOf } from '../../contract/uploads.ts';
import type { Uploads } from './uploads.ts';

/**
 * A request whose `upload:ID` references are the paths of those uploads, so that it can be drawn again without us.
 * @throws ImpastoError `REQUEST_INVALID`, `FILE_NOT_FOUND`
 */
export function withUploads(request: RenderRequest, uploads: Uploads): Promise<RenderRequest> {
  return mapRequestPaths(request, (path, field) => uploadedPath(path, field, uploads));
}

async function uploadedPath(path: string, field: string, uploads: Uploads): Promise<string> {
  const id = uploadIdOf(path);
  if (id === undefined) return path;
  if (id !== null) return await uploads.path(id);
  throw new ImpastoError(
    'REQUEST_INVALID',
    `${field}: ${JSON.stringify(path)} does not name an upload.`,
    'Upload the picture again.',
  );
}
