import type { RenderRequest } from '../../../contract/request.ts';
import { adapterName } from '../../../models/adapters/adapter-name.ts';

/**
 * Adapters as A1111 writes them (`extensions-builtin/Lora`): `<lora:name:0.8>` at the end of the prompt, where the
 * strengths differ `<lora:name:text:unet>`, and `Lora hashes: "name: 0123456789ab, ..."`. An adapter that acts in a
 * region has no words there and is left to our own JSON.
 */
export function adapterTags({ prompt, adapters }: Pick<RenderRequest, 'prompt' | 'adapters'>): string {
  const tags = adapters
    .filter(({ region }) => region === undefined)
    .map(({ path, strength, textStrength = strength }) => {
      const strengths = textStrength === strength ? [strength] : [textStrength, strength];
      return `<lora:${[tagName(path), ...strengths].join(':')}>`;
    });
  return [prompt, ...tags].filter((part) => part !== '').join(' ');
}

/** @param hashes of the request's adapters, in their order: AutoV3, undefined where one is not known */
export function adapterHashes(
  { adapters }: Pick<RenderRequest, 'adapters'>,
  hashes: readonly (string | undefined)[],
): string | undefined {
  const known = adapters.flatMap(({ path, region }, index) => {
    const hash = hashes[index];
    return hash === undefined || region !== undefined ? [] : [`${tagName(path)}: ${hash}`];
  });
  return known.length > 0 ? known.join(', ') : undefined;
}

/** `name: hash` pairs of `Lora hashes`, the first of each name. */
export function parseAdapterHashes(text: string): Map<string, string> {
  const hashes = new Map<string, string>();
  for (const pair of text.split(',').slice(0, 200)) {
    const colon = pair.lastIndexOf(':');
    const name = pair.slice(0, colon).trim();
    const hash = pair.slice(colon + 1).trim();
    if (colon > 0 && name !== '' && /^[0-9a-f]{8,64}$/i.test(hash) && !hashes.has(name)) {
      hashes.set(name, hash.toLowerCase());
    }
  }
  return hashes;
}

/** The name that stands in a tag: the file's, without what a tag or the list of hashes would take for its own. */
function tagName(path: string): string {
  return adapterName(path.replaceAll('\\', '/')).replace(/[<>:,]/g, '');
}
