import { existsSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import type { Command } from 'commander';
import { asImpastoError, ImpastoError } from '../../contract/errors.ts';
import type { RenderRequestInput } from '../../contract/request.ts';
import type { LoraResolver } from '../engine/adapters/prompt-tags.ts';

type AdapterInput = NonNullable<RenderRequestInput['adapters']>[number];
type ConceptInput = NonNullable<RenderRequestInput['concepts']>[number];
type RegionInput = NonNullable<RenderRequestInput['regions']>[number];

/** Flags for what a request holds lists of: adapters, regions and concepts. */
export function addAdapterFlags(command: Command): Command {
  return command
    .option(
      '--lora <file[:strength[:text strength]][,key=value]...>',
      'an adapter, as often as you like; keys: name, region, concept, steps (0-0.5), curve (0:1/1:0.2), trigger',
      collect,
    )
    .option(
      '--lora-folder <folder>',
      "where <lora:name:0.8> in a prompt and --lora NAME are looked for, beside the built-in model's own",
      collect,
    )
    .option(
      '--region <name=x,y,width,height[:prompt]>',
      'a part of the picture with its own prompt; a mask file may stand for the box',
      collect,
    )
    .option('--region-negative <name=text>', "a region's own negative prompt", collect)
    .option('--region-feather <name=pixels>', "softens a region's edge", collect)
    .option('--region-weight <name=weight>', 'weight of a region where it overlaps others', collect)
    .option(
      '--region-words <name=words>',
      "words of a region's prompt that name what is in it (lora-composer)",
      collect,
    )
    .option(
      '--concept <name=words[:words of its own adapters]>',
      'a thing that clora keeps apart: its words in the prompt, and what its adapters (concept=NAME) read in their place',
      collect,
    )
    .addHelpText('after', methodsHelp);
}

const methodsHelp = `
Methods that need no attention maps:
  --compose sum, switch, composite
                             Exact: as published (Zhong et al. 2024).
  --compose regional         Impasto's own: a --region each, with its prompt and its adapters; it reproduces no paper.

Methods that look into attention:
  --compose clora            CLoRA: two or more --concept, each with a --lora FILE,concept=NAME. Forward-only: as its authors'
                             code runs without latent updates; --screen-seeds N picks the best of N noises. Impasto's own, not
                             the paper's: --concept-masks highest gives each place to the one concept that it shows most.
  --compose lora-composer    LoRA-Composer: a --region each, with a --lora FILE,region=NAME. Its injection, isolation and
                             latent re-initialisation are exact; its gradient steps are replaced by --attention-bias. As
                             published with --adapter-layers cross-attention: a region's adapters act there alone; by default
                             on every layer that they learned, within the region.
  --mode exact               both with the gradients of their papers, at --update-steps (and --inner-updates): several times the
                             cost; the default, forward, needs none.
  --style PICTURE            DiffStyler: each --region in the style of its --lora FILE,region=NAME, the rest untouched.
                             Forward-only; 50 steps, and a guidance of 10.5 unless you or the model's folder say otherwise. Each
                             style draws the whole picture, of which its region shows a part, and outside the picture's own
                             inversion is followed. As published: --style-whole false --style-recolour 0 --style-features 0.6
                             --style-attention 0.5 --style-pin false.
`;

const collect = (value: string, known: string[] = []): string[] => [...known, value];

/**
 * Adapters, regions and concepts of the flags; absent where no flag gives them.
 * @param resolver finds an adapter by name where there is no such file
 * @throws ImpastoError `REQUEST_INVALID` where a flag has not its form, `FILE_NOT_FOUND`
 */
export async function adaptersAndRegions(
  options: Record<string, unknown>,
  resolver: LoraResolver | null,
): Promise<Pick<RenderRequestInput, 'adapters' | 'regions' | 'concepts'>> {
  const adapters: AdapterInput[] = [];
  for (const text of listOf(options.lora)) {
    const parsed = parseLora(text);
    adapters.push({ ...parsed, path: await pathOf(parsed.path, resolver) });
  }
  const regions = listOf(options.region).map(parseRegion);
  setOnRegions(regions, 'region-negative', listOf(options.regionNegative), (region, value) => {
    region.negativePrompt = value;
  });
  setOnRegions(regions, 'region-feather', listOf(options.regionFeather), (region, value) => {
    region.feather = numberOf('region-feather', value);
  });
  setOnRegions(regions, 'region-weight', listOf(options.regionWeight), (region, value) => {
    region.weight = numberOf('region-weight', value);
  });
  setOnRegions(regions, 'region-words', listOf(options.regionWords), (region, value) => {
    region.words = value;
  });
  const concepts = listOf(options.concept).map(parseConcept);
  return {
    ...(adapters.length > 0 ? { adapters } : {}),
    ...(regions.length > 0 ? { regions } : {}),
    ...(concepts.length > 0 ? { concepts } : {}),
  };
}

const listOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

async function pathOf(given: string, resolver: LoraResolver | null): Promise<string> {
  const path = resolve(given);
  if (existsSync(path)) return path;
  const missing = new ImpastoError(
    'FILE_NOT_FOUND',
    `${path} is not there.`,
    'Give the path of a .safetensors file, or the folder to look in (--lora-folder DIR).',
  );
  if (!resolver) throw missing;
  try {
    return await resolver(given);
  } catch (thrown) {
    // What is written as a path is missed as one, not as a name.
    throw asImpastoError(thrown).code === 'FILE_NOT_FOUND' && isAbsolute(given) ? missing : thrown;
  }
}

const loraKeys = ['name', 'region', 'concept', 'steps', 'curve', 'trigger'] as const;

/** `FILE[:strength[:text strength]][,key=value]...`; the file may hold colons and commas of its own. */
export function parseLora(text: string): AdapterInput {
  const [head = '', ...settings] = text.split(new RegExp(`,(?=(?:${loraKeys.join('|')})=)`));
  const number = '[+-]?(?:\\d+\\.?\\d*|\\.\\d+)';
  const match = new RegExp(`^(.+?)(?::(${number}))?(?::(${number}))?$`).exec(head);
  const path = match?.[1]?.trim();
  if (!path || path.startsWith(':')) throw invalid('lora', text, 'FILE[:strength[:text strength]][,key=value]...');
  const adapter: AdapterInput = { path };
  if (match?.[2] !== undefined) adapter.strength = Number(match[2]);
  if (match?.[3] !== undefined) adapter.textStrength = Number(match[3]);
  for (const setting of settings) {
    const [key = '', ...rest] = setting.split('=');
    const value = rest.join('=');
    if (key === 'steps') adapter.steps = range(value);
    else if (key === 'curve') adapter.curve = value.split('/').map(point);
    else if (key === 'name') adapter.name = value;
    else if (key === 'region') adapter.region = value;
    else if (key === 'concept') adapter.concept = value;
    else adapter.trigger = value;
  }
  return adapter;
}

function range(value: string): [number, number] {
  const match = /^(\d*\.?\d+)\s*-\s*(\d*\.?\d+)$/.exec(value.trim());
  if (!match) throw invalid('lora', `steps=${value}`, 'two shares of the steps, e.g. steps=0-0.5');
  return [Number(match[1]), Number(match[2])];
}

function point(value: string): [number, number] {
  const [at, factor, ...more] = value.split(':').map(Number);
  if (at === undefined || factor === undefined || more.length > 0 || Number.isNaN(at + factor)) {
    throw invalid('lora', `curve=...${value}`, 'points share:factor, e.g. curve=0:1/0.5:0.2');
  }
  return [at, factor];
}

/** `NAME=X,Y,WIDTH,HEIGHT[:prompt]` or `NAME=MASK.png[:prompt]`. */
export function parseRegion(text: string): RegionInput {
  const at = text.indexOf('=');
  const name = text.slice(0, Math.max(0, at)).trim();
  const place = text.slice(at + 1);
  const box = /^\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*,\s*([\d.]+)\s*,\s*([\d.]+)\s*(?::(.*))?$/s.exec(place);
  if (name && box) {
    const [x, y, width, height] = box.slice(1, 5).map(Number) as [number, number, number, number];
    return { name, box: [x, y, width, height], prompt: box[5]?.trim() ?? '' };
  }
  const mask = /^(.+?\.(?:png|jpe?g|webp|avif|tiff?))(?::(.*))?$/is.exec(place);
  if (name && mask) return { name, mask: resolve(mask[1] as string), prompt: mask[2]?.trim() ?? '' };
  throw invalid('region', text, 'NAME=X,Y,WIDTH,HEIGHT[:prompt] or NAME=MASK.png[:prompt]');
}

/** `NAME=WORDS[:WORDS OF ITS OWN ADAPTERS]`. */
export function parseConcept(text: string): ConceptInput {
  const match = /^([^=]+)=([^:]+)(?::(.+))?$/s.exec(text);
  const [name = '', words = '', as = ''] = (match ?? []).slice(1).map((part) => part?.trim() ?? '');
  if (!name || !words) throw invalid('concept', text, 'NAME=words[:words of its own adapters], e.g. cat=cat:sks cat');
  return { name, words, ...(as ? { as } : {}) };
}

function setOnRegions(
  regions: RegionInput[],
  flag: string,
  values: readonly string[],
  set: (region: RegionInput, value: string) => void,
): void {
  for (const text of values) {
    const at = text.indexOf('=');
    const region = regions.find(({ name }) => name === text.slice(0, Math.max(0, at)).trim());
    if (!region) throw invalid(flag, text, 'NAME=value with the name of a --region');
    set(region, text.slice(at + 1));
  }
}

function numberOf(flag: string, value: string): number {
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (Number.isNaN(number)) throw invalid(flag, value, 'a number');
  return number;
}

function invalid(name: string, value: string, wanted: string): ImpastoError {
  return new ImpastoError('REQUEST_INVALID', `--${name} ${value} is not ${wanted}.`, `Give --${name} as ${wanted}.`);
}
