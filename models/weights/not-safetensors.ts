import { ImpastoError } from '../../contract/errors.ts';

/** How many first bytes {@link refuseForeign} looks at. */
export const sniffLength = 4096;

/**
 * Recognises, by its first bytes, a file that is something else, and says what.
 * A safetensors header begins with `{` at byte 8, which none of these has.
 * @throws ImpastoError `PICKLE_REFUSED` or `NOT_SAFETENSORS`.
 */
export function refuseForeign(head: Uint8Array, file: string): void {
  const latin = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1');
  if (latin.charAt(8) === '{' && !latin.startsWith('{')) return;

  const text = latin.replace(/^\xef\xbb\xbf/, '').trimStart();
  const isZip = latin.startsWith('PK\x03\x04');
  const isPickle = latin.charCodeAt(0) === 0x80 && latin.charCodeAt(1) <= 5;
  if (isPickle || (isZip && latin.includes('.pkl'))) throw pickleRefused(file);
  const refuse = (what: string, remedy: string): never => {
    throw new ImpastoError('NOT_SAFETENSORS', `${file} is ${what}, not a safetensors file.`, remedy);
  };
  if (isZip) refuse('a zip archive', 'Unpack it and open what is inside.');
  if (/^<(?:!doctype|html|\?xml|head|body)/i.test(text)) {
    refuse('a web page', 'The download asked for a login or a confirmation: download the file again, signed in.');
  }
  if (text.startsWith('version https://git-lfs')) {
    refuse('a Git LFS pointer', 'The real file was not fetched: run `git lfs pull` in its repository.');
  }
  if (latin.startsWith('GGUF')) refuse('a GGUF file', 'Get the .safetensors version of the same model.');
  if (text.startsWith('{') || text.startsWith('[')) {
    refuse('a text file (JSON)', 'Open the weights, not a config or an error message saved under their name.');
  }
}

export function pickleRefused(file: string): ImpastoError {
  return new ImpastoError(
    'PICKLE_REFUSED',
    `${file} is a pickle (a PyTorch .ckpt, .pt or .bin): opening one runs whatever code its author put in.`,
    'Get the .safetensors version of the same model, or convert it where you trust it. Impasto never unpickles.',
  );
}
