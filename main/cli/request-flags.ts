import type { Command } from 'commander';
import { Option } from 'commander';
import { z } from 'zod';
import { ImpastoError } from '../../contract/errors.ts';
import { RenderRequest, type RenderRequestInput } from '../../contract/request.ts';

/**
 * The CLI's flags, derived from the RenderRequest schema: a field `guidance.scale` is `--guidance-scale`. A few that
 * are typed every day have a short name as well.
 */

interface Flag {
  /** Place in the request, e.g. ['guidance', 'scale']. */
  path: string[];
  kind: 'string' | 'number' | 'boolean' | 'numbers';
  choices?: string[];
  short?: string;
}

/** Everyday names, by field. */
const aliases: Record<string, string> = {
  negativePrompt: 'negative',
  'scheduler.name': 'scheduler',
  'guidance.scale': 'guidance',
  'init.path': 'init',
  'init.strength': 'strength',
  'mask.path': 'mask',
  'vae.path': 'vae',
  'scheduler.predictionType': 'prediction-type',
  'composition.method': 'compose',
  'composition.switchEvery': 'switch-every',
  'composition.isolation': 'isolation',
  'composition.regionalBy': 'regional-by',
  'composition.base': 'region-base',
  'composition.centreUntil': 'centre-until',
  'composition.mode': 'mode',
  'composition.mapLevel': 'map-level',
  'composition.masks': 'concept-masks',
  'composition.threshold': 'mask-threshold',
  'composition.conceptTokens': 'concept-tokens',
  'composition.closeMasks': 'close-masks',
  'composition.screen': 'screen-seeds',
  'composition.updateSteps': 'update-steps',
  'composition.innerUpdates': 'inner-updates',
  'composition.adapterLayers': 'adapter-layers',
  'composition.reinit': 'reinit',
  'composition.bias': 'attention-bias',
  'composition.biasUntil': 'attention-bias-until',
  'style.content': 'style',
  'style.inversionSteps': 'inversion-steps',
  'matchColours.path': 'match-colours',
  'matchColours.amount': 'match-colours-amount',
};

/** Not flags: the prompt is the argument, and lists have a syntax of their own. */
const omitted = new Set(['version', 'prompt', 'embeddings', 'adapters', 'regions', 'concepts']);

const descriptions: Record<string, string> = {
  model: 'checkpoint: a .safetensors file, a diffusers folder, an ONNX folder, or demo',
  negativePrompt: 'what the picture should not show',
  seed: 'seed of the first picture (default: random)',
  batch: 'how many pictures, with consecutive seeds',
  steps: 'sampling steps',
  'scheduler.name': 'sampler',
  'scheduler.sigmas': 'noise levels',
  'scheduler.spacing': 'timestep spacing',
  'scheduler.eta': 'stochasticity of DDIM and TCD',
  'scheduler.predictionType': 'what the UNet predicts, where the file does not tell',
  'guidance.scale': 'classifier-free guidance scale; 1 or below turns it off',
  'guidance.rescale': 'guidance rescale (phi)',
  'guidance.interval': 'guide only between two shares of the steps, e.g. 0.1,0.8',
  clipSkip: 'CLIP layer, counted from the end',
  noise: 'whose generator draws the noise',
  'init.path': 'picture to start from',
  'init.strength': 'how much of it is drawn anew, 0 to 1',
  'mask.path': 'mask: white is drawn anew',
  'mask.feather': 'blur of the mask in pixels',
  'vae.path': 'another VAE: a file or a diffusers folder',
  'vae.tiling': 'decode in tiles',
  provider: 'what draws',
  precision: 'arithmetic on a graphics card',
  'composition.method': 'how several adapters share a picture',
  'composition.switchEvery': 'steps that each adapter has to itself in switch',
  'composition.isolation': 'keeps regions from looking at each other, 0 to 1',
  'composition.regionalBy': 'how regions are drawn: a UNet row each, or one row with attention biases',
  'composition.base': 'share of the main prompt within every region, 0 to 1',
  'composition.centreUntil':
    'regions by rows: share of the steps in which each is drawn as the middle of a picture, so that its edge cuts nothing (not with --isolation or --init)',
  'composition.mode': 'clora and lora-composer: without gradients, or with them as published',
  'composition.mapLevel': 'level of the attention maps that are read, 0 the latent itself (default: that of H/32)',
  'composition.masks':
    "clora: whose a place is: every concept's whose map passes the threshold, as published, or the one's whose words are looked at most",
  'composition.threshold': "clora: share of a map's highest value from which a place is the concept's",
  'composition.conceptTokens':
    "clora: which of a concept's tokens show its place; last where the tokenizer cuts its word up",
  'composition.closeMasks': 'clora: close holes of the masks (3x3)',
  'composition.screen': 'clora: noises tried at the first step, of which the best is drawn from',
  'composition.updateSteps': 'exact: first steps that move the latent (default: 30 in clora, 25 in lora-composer)',
  'composition.innerUpdates': 'clora, exact: further moves at steps 0, 10 and 20',
  'composition.adapterLayers':
    "lora-composer: layers on which a region's adapters act within it; cross-attention: there alone, as published",
  'composition.reinit': "lora-composer: start each region from its concept's own noise",
  'composition.bias': "lora-composer, forward: logits on a region's words, 0 for none",
  'composition.biasUntil': 'lora-composer, forward: share of the steps in which the bias acts',
  'style.content':
    "picture whose --region parts are drawn in their adapters' style (DiffStyler, forward-only as published)",
  'style.inversionSteps': 'steps of its inversion, 50 or up to 999; kept for the next time',
  'style.features': 'share of the steps in which a region takes its features',
  'style.attention': "share of the steps in which a region takes its self-attention's queries and keys",
  'style.recolour': "how far a region's start loses the picture's colours, 0 to 1; 0: as published",
  'style.whole':
    "a region's adapters draw the whole picture, of which it shows its part; false: all on one latent, as published",
  'style.pin': 'outside the regions follow the picture itself; false: drawn again, as published',
  'matchColours.path':
    "picture whose colours the drawn one is given; with a Turbo model, --init, --strength 0.5 and --steps 2 Impasto's own one-step restyle",
  'matchColours.amount': 'how far, 0 to 1',
  'style.composite': 'lay the regions over the untouched picture',
};

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const { def } = (schema as z.ZodType)._zod;
  if ('innerType' in def) return unwrap(def.innerType as z.core.$ZodType);
  if (def.type === 'pipe' && 'in' in def) return unwrap(def.in as z.core.$ZodType);
  return schema;
}

function kindOf(schema: z.core.$ZodType): Pick<Flag, 'kind' | 'choices'> {
  if (schema instanceof z.ZodNumber) return { kind: 'number' };
  if (schema instanceof z.ZodBoolean) return { kind: 'boolean' };
  if (schema instanceof z.ZodTuple) return { kind: 'numbers' };
  if (schema instanceof z.ZodEnum) return { kind: 'string', choices: schema.options.map(String) };
  if (schema instanceof z.ZodUnion) {
    const choices = schema.options.flatMap((option) => {
      const inner = unwrap(option);
      if (inner instanceof z.ZodLiteral) return [...inner.values].map(String);
      return kindOf(inner).choices ?? [];
    });
    return { kind: 'string', choices };
  }
  return { kind: 'string' };
}

/** Every flag that the request's schema gives. */
export function requestFlags(schema: z.core.$ZodType = RenderRequest, path: string[] = []): Flag[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape).flatMap(([name, field]) =>
      omitted.has([...path, name].join('.')) ? [] : requestFlags(field as z.core.$ZodType, [...path, name]),
    );
  }
  const short = aliases[path.join('.')];
  return [{ path, ...kindOf(inner), ...(short ? { short } : {}) }];
}

const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const longName = (flag: Flag) => flag.short ?? flag.path.map(kebab).join('-');
const camel = (name: string) => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Adds the request's flags to a command. */
export function addRequestFlags(command: Command): Command {
  for (const flag of requestFlags()) {
    const name = longName(flag);
    const value = flag.kind === 'boolean' ? ' [boolean]' : flag.kind === 'numbers' ? ' <a,b>' : ` <${flag.kind}>`;
    const option = new Option(`--${name}${value}`, descriptions[flag.path.join('.')] ?? flag.path.join(' '));
    if (flag.choices) option.choices(flag.choices);
    command.addOption(option);
  }
  command.option('--size <WxH>', 'width and height at once, e.g. 512x768');
  command.option('--embedding <token=file...>', 'a textual inversion, used where its token stands in the prompt');
  return command;
}

/**
 * The request that the flags describe, laid over `base`.
 * @throws ImpastoError `REQUEST_INVALID` where a value has not the flag's form; the schema checks the rest
 */
export function requestFromFlags(options: Record<string, unknown>, base: RenderRequestInput = {}): RenderRequestInput {
  const request = structuredClone(base) as Record<string, unknown>;
  for (const flag of requestFlags()) {
    const name = longName(flag);
    const given = options[camel(name)];
    if (given === undefined) continue;
    place(request, flag.path, parseValue(flag, name, given));
  }
  if (typeof options.size === 'string') {
    const match = /^(\d+)x(\d+)$/.exec(options.size);
    if (!match) throw invalid('size', options.size, 'two numbers, e.g. 512x768');
    request.width = Number(match[1]);
    request.height = Number(match[2]);
  }
  if (Array.isArray(options.embedding)) {
    request.embeddings = options.embedding.map((entry: string) => {
      const at = entry.indexOf('=');
      if (at < 1) throw invalid('embedding', entry, 'TOKEN=FILE');
      return { token: entry.slice(0, at), path: entry.slice(at + 1) };
    });
  }
  return request as RenderRequestInput;
}

function parseValue(flag: Flag, name: string, given: unknown): unknown {
  if (flag.kind === 'boolean') return given === true || given === 'true';
  const text = String(given);
  if (flag.kind === 'string') return text;
  const numbers = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (numbers.some(Number.isNaN)) throw invalid(name, text, flag.kind === 'number' ? 'a number' : 'numbers, e.g. 0,1');
  return flag.kind === 'number' ? numbers[0] : numbers;
}

function invalid(name: string, value: string, wanted: string): ImpastoError {
  return new ImpastoError('REQUEST_INVALID', `--${name} ${value} is not ${wanted}.`, `Give --${name} as ${wanted}.`);
}

function place(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let object = target;
  for (const name of path.slice(0, -1)) {
    object[name] ??= {};
    object = object[name] as Record<string, unknown>;
  }
  object[path[path.length - 1] as string] = value;
}
