import { asImpastoError, type ImpastoError } from '../../../contract/errors.ts';
import { parseRequest } from '../../../contract/parse.ts';
import type { RenderRequest } from '../../../contract/request.ts';

/** The request as a picture carries it: JSON whose `version` is the request's own, safe inside XML. */
export function requestToJson(request: RenderRequest): string {
  return JSON.stringify(request).replace(/[\x7f-\x9f\ufffe\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** The request, or why the text is not one that this version of Impasto reads. */
export function requestFromJson(text: string): RenderRequest | ImpastoError {
  try {
    return parseRequest(JSON.parse(text));
  } catch (error) {
    return asImpastoError(error);
  }
}
