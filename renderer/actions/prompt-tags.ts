import { ImpastoError } from '../../contract/errors.ts';
import { extractExtraNetworks } from '../../contract/prompt/extra-networks.ts';
import { AdapterRef } from '../../contract/request.ts';
import { useAdapters } from '../state/adapters.ts';
import { modelName } from '../state/models.ts';

/**
 * Takes `<lora:name:0.8>` out of a prompt: the adapters that it names, of those that are known here.
 * @throws ImpastoError `FILE_NOT_FOUND` where a name is not known
 */
export function takeTags(prompt: string, region?: string): { text: string; adapters: AdapterRef[] } {
  const { text, loras } = extractExtraNetworks(prompt);
  if (loras.length === 0) return { text: prompt, adapters: [] };
  const adapters = loras.map(({ name, unetStrength, textStrength }) =>
    AdapterRef.parse({
      path: pathOf(name),
      strength: unetStrength,
      ...(textStrength !== unetStrength && { textStrength }),
      ...(region !== undefined && { region }),
    }),
  );
  return {
    text: text
      .replace(/\s{2,}/g, ' ')
      .replace(/\s+,/g, ',')
      .trim(),
    adapters,
  };
}

function pathOf(name: string): string {
  const wanted = name.toLowerCase();
  for (const [path, { facts, error }] of useAdapters.getState().known) {
    if (error) continue;
    if (modelName(path).toLowerCase() === wanted || facts?.name.toLowerCase() === wanted) return path;
  }
  throw new ImpastoError(
    'FILE_NOT_FOUND',
    `No adapter "${name}" is known here.`,
    `Add it to the rack, or take <lora:${name}> out of the prompt.`,
  );
}
