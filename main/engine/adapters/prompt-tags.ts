import type { EngineWarning } from '../../../contract/engine.ts';
import { extractExtraNetworks, type LoraTag } from '../../../contract/prompt/extra-networks.ts';
import type { RenderRequestInput } from '../../../contract/request.ts';

/**
 * The file that a `<lora:name>` means.
 * @throws ImpastoError `FILE_NOT_FOUND` naming what is near, `REQUEST_INVALID` where several files bear the name
 */
export type LoraResolver = (name: string) => Promise<string>;

type AdapterInput = NonNullable<RenderRequestInput['adapters']>[number];

/**
 * Takes `<lora:name:0.8>` tags out of a request's prompts and adds the adapters that they name; a tag in a region's
 * prompt acts in that region. The request that comes back draws the same picture without the resolver.
 */
export async function resolvePromptTags(
  request: RenderRequestInput,
  resolver: LoraResolver,
): Promise<{ request: RenderRequestInput; warnings: EngineWarning[] }> {
  const warnings: EngineWarning[] = [];
  const adapters: AdapterInput[] = [];
  const take = async (prompt: string, region?: string): Promise<string> => {
    const extracted = extractExtraNetworks(prompt);
    for (const { code, message } of extracted.warnings) warnings.push({ code, message });
    for (const tag of extracted.loras) adapters.push(await adapterOf(tag, resolver, region));
    return extracted.loras.length > 0 || extracted.warnings.length > 0 ? tidied(extracted.text) : prompt;
  };
  const takeNegative = (prompt: string): string => {
    const { text, loras } = extractExtraNetworks(prompt);
    if (loras.length === 0) return prompt;
    const names = loras.map(({ name }) => `<lora:${name}>`).join(', ');
    warnings.push({
      code: 'ADAPTER_IGNORED',
      message: `${names} in a negative prompt is left out: an adapter acts on both prompts. Name it in the prompt.`,
    });
    return tidied(text);
  };
  const resolved = { ...request };
  if (request.prompt !== undefined) resolved.prompt = await take(request.prompt);
  if (request.negativePrompt !== undefined) resolved.negativePrompt = takeNegative(request.negativePrompt);
  if (request.regions) {
    resolved.regions = [];
    for (const region of request.regions) {
      resolved.regions.push({
        ...region,
        ...(region.prompt === undefined ? {} : { prompt: await take(region.prompt, region.name) }),
        ...(region.negativePrompt === undefined ? {} : { negativePrompt: takeNegative(region.negativePrompt) }),
      });
    }
  }
  if (adapters.length > 0) resolved.adapters = [...(request.adapters ?? []), ...adapters];
  return { request: resolved, warnings };
}

async function adapterOf(tag: LoraTag, resolver: LoraResolver, region: string | undefined): Promise<AdapterInput> {
  const { name, unetStrength, textStrength } = tag;
  return {
    path: await resolver(name),
    strength: unetStrength,
    ...(textStrength === unetStrength ? {} : { textStrength }),
    ...(region === undefined ? {} : { region }),
  };
}

/** Spaces and commas that a tag leaves behind at the ends and doubled. */
function tidied(text: string): string {
  return text
    .replace(/[ \t]{2,}/g, ' ')
    .replace(/(?:\s*,){2,}/g, ',')
    .replace(/^[\s,]+|[\s,]+$/g, '');
}
