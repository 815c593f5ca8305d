import type { RenderRequestInput, SchedulerSettings } from '../../../contract/request.ts';
import { maxPromptLength, RenderRequest } from '../../../contract/request.ts';
import { fromA1111Sampler, fromA1111Schedule } from './a1111-samplers.ts';
import { parseAdapterHashes } from './adapter-tags.ts';

export interface ParsedInfotext {
  /** What could be taken over; every value is one that a RenderRequest allows. */
  request: RenderRequestInput;
  /** The model that the text names; which file that is, the text does not say. */
  model: { name?: string; hash?: string };
  /** Hashes of the adapters that the prompt names in its `<lora:...>` tags, by name. */
  adapterHashes: Map<string, string>;
  /** Each setting that could not be taken over, and why. */
  unmapped: string[];
}

/**
 * Reads A1111's `parameters` text, as A1111, Forge, SD.Next, Civitai and others write it, into the request it
 * describes. Undefined where the text has no details line: then it is some other text.
 */
export function parseInfotext(text: string): ParsedInfotext | undefined {
  const lines = text.replaceAll('\r\n', '\n').trim().split('\n');
  const at = findDetails(lines);
  if (at < 0) return undefined;
  const details = parseDetails(lines[at] as string);
  const mapper = new DetailsMapper(details);
  const { prompt, negativePrompt } = splitPrompts(lines.slice(0, at));
  mapper.prompts(prompt, negativePrompt);
  const rest = lines.slice(at + 1).filter((line) => line.trim() !== '');
  if (rest.length > 0) mapper.unmapped.push(`${rest.length} lines after the settings, from "${rest[0]?.slice(0, 60)}"`);
  return mapper.finish();
}

/** The last line where it holds three pairs or more, as A1111 has it; else the last that begins with `Steps: `. */
function findDetails(lines: readonly string[]): number {
  const last = lines.length - 1;
  if (parseDetails(lines[last] ?? '').size >= 3) return last;
  const steps = lines.findLastIndex((line) => line.startsWith('Steps: '));
  return steps >= 0 && parseDetails(lines[steps] as string).size >= 3 ? steps : -1;
}

function splitPrompts(lines: readonly string[]): { prompt: string; negativePrompt: string } {
  const marker = 'Negative prompt:';
  const at = lines.findIndex((line) => line.trim().startsWith(marker));
  const joined = (part: readonly string[]) =>
    part
      .map((line) => line.trim())
      .join('\n')
      .trim();
  if (at < 0) return { prompt: joined(lines), negativePrompt: '' };
  const first = (lines[at] as string).trim().slice(marker.length);
  return { prompt: joined(lines.slice(0, at)), negativePrompt: joined([first, ...lines.slice(at + 1)]) };
}

/** More pairs than any tool writes, and the longest bracketed value; a hostile text must not cost time. */
const maxPairs = 1000;
const maxBracket = 65_536;

/**
 * `Key: value` pairs parted by commas. A value in double quotes is a JSON string; one that begins with a bracket runs
 * to its partner (`Hashes: {...}`).
 */
function parseDetails(line: string): Map<string, string> {
  const pairs = new Map<string, string>();
  let at = 0;
  for (let pair = 0; pair < maxPairs && at < line.length; pair++) {
    const colon = line.indexOf(':', at);
    if (colon < 0) break;
    const key = line.slice(Math.max(at, line.lastIndexOf(',', colon) + 1), colon).trim();
    let start = colon + 1;
    while (line[start] === ' ') start++;
    const end = valueEnd(line, start);
    const raw = line.slice(start, end).trim();
    if (/^[\p{L}\p{N}_][\p{L}\p{N}_ \-/]*$/u.test(key) && !pairs.has(key)) pairs.set(key, unquote(raw));
    at = end + 1;
  }
  return pairs;
}

function valueEnd(line: string, start: number): number {
  const opening = line[start];
  const quoted = opening === '"' || opening === '{' || opening === '[' ? closing(line, start) : undefined;
  const comma = line.indexOf(',', quoted ?? start);
  return comma < 0 ? line.length : comma;
}

/** Index after the partner of the quote or bracket at `start`; undefined where it has none. */
function closing(line: string, start: number): number | undefined {
  let depth = 0;
  let inString = false;
  const end = Math.min(line.length, start + maxBracket);
  for (let i = start; i < end; i++) {
    const character = line[i];
    if (inString) {
      if (character === '\\') i++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    if (!inString && depth <= 0) return i + 1;
  }
  return undefined;
}

function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value;
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === 'string' ? parsed : value;
  } catch {
    return value;
  }
}

/** Takes each detail over into a request, or lists it. */
class DetailsMapper {
  readonly unmapped: string[] = [];
  private readonly request: RenderRequestInput = {};
  private readonly scheduler: Partial<SchedulerSettings> = {};
  private readonly model: { name?: string; hash?: string } = {};
  private adapterHashes = new Map<string, string>();
  private readonly details: Map<string, string>;

  constructor(details: Map<string, string>) {
    this.details = details;
  }

  prompts(prompt: string, negativePrompt: string): void {
    for (const [key, text] of Object.entries({ prompt, negativePrompt }) as ['prompt' | 'negativePrompt', string][]) {
      if (text.length > maxPromptLength) this.unmapped.push(`${key}: longer than ${maxPromptLength} characters`);
      else this.request[key] = text;
    }
  }

  finish(): ParsedInfotext {
    for (const [key, value] of this.details) {
      const reason = this.take(key, value);
      if (reason !== undefined) this.unmapped.push(`${key}: ${value.slice(0, 200)}${reason && ` (${reason})`}`);
    }
    if (!this.details.has('RNG')) this.request.noise = 'cuda';
    if (Object.keys(this.scheduler).length > 0) this.request.scheduler = this.scheduler;
    const { request, model, adapterHashes, unmapped } = this;
    return { request, model, adapterHashes, unmapped };
  }

  /** Undefined where the detail was taken over or says nothing to take; else why not, if there is more to say. */
  private take(key: string, value: string): string | undefined {
    switch (key) {
      case 'Steps':
        return this.number('steps', value);
      case 'Seed':
        return this.number('seed', value);
      case 'Clip skip':
        return this.number('clipSkip', value);
      case 'CFG scale':
        return this.guidance(value);
      case 'Size':
        return this.size(value);
      case 'Sampler':
        return this.sampler(value);
      case 'Schedule type':
        return this.schedule(value);
      case 'RNG':
        return this.noise(value);
      case 'Eta DDIM':
      case 'Eta':
        return this.eta(key, value);
      case 'Noise Schedule':
        return this.noiseSchedule(value);
      case 'Model':
        this.model.name = value;
        return undefined;
      case 'Model hash':
        this.model.hash = value.toLowerCase();
        return undefined;
      case 'Lora hashes':
        // A1111's own list counts more than Civitai's, whichever stands first.
        this.adapterHashes = new Map([...this.adapterHashes, ...parseAdapterHashes(value)]);
        return undefined;
      case 'Hashes':
        return this.hashes(value);
      case 'Version':
        return undefined;
      case 'VAE':
        return 'which file that is, the text does not say';
      case 'Denoising strength':
      case 'Mask blur':
        return 'the first picture or mask is not in the text';
      default:
        return '';
    }
  }

  /** Civitai's list: JSON of `model`, `lora:NAME`, `embed:NAME` and others. */
  private hashes(value: string): string | undefined {
    const list = jsonObject(value);
    if (!list) return 'not a list of hashes';
    const others: string[] = [];
    for (const [name, hash] of Object.entries(list)) {
      const lora = /^(?:lora|lyco):(.+)$/i.exec(name)?.[1]?.trim();
      if (typeof hash !== 'string' || !/^[0-9a-f]{8,64}$/i.test(hash)) others.push(name);
      else if (name === 'model') this.model.hash ??= hash.toLowerCase();
      else if (lora === undefined) others.push(name);
      else if (!this.adapterHashes.has(lora)) this.adapterHashes.set(lora, hash.toLowerCase());
    }
    return others.length > 0 ? `${others.slice(0, 5).join(', ')} cannot be looked for by hash` : undefined;
  }

  private number(key: 'steps' | 'seed' | 'clipSkip', value: string): string | undefined {
    const parsed = RenderRequest.shape[key].safeParse(toNumber(value));
    if (!parsed.success) return 'not a value that Impasto takes';
    this.request[key] = parsed.data;
    return undefined;
  }

  private guidance(value: string): string | undefined {
    const scale = toNumber(value);
    if (!RenderRequest.shape.guidance.safeParse({ scale }).success) return 'not a value that Impasto takes';
    this.request.guidance = { scale };
    return undefined;
  }

  private size(value: string): string | undefined {
    const [, width, height] = /^(\d{1,6})x(\d{1,6})$/.exec(value) ?? [];
    const { shape } = RenderRequest;
    if (width === undefined || height === undefined) return 'not a size';
    if (!shape.width.safeParse(Number(width)).success || !shape.height.safeParse(Number(height)).success) {
      return 'both sides must be divisible by 8 and at most 16384';
    }
    this.request.width = Number(width);
    this.request.height = Number(height);
    return undefined;
  }

  private sampler(value: string): string | undefined {
    const sampler = fromA1111Sampler(value);
    if (!sampler) return 'Impasto has no sampler of this name';
    this.scheduler.name = sampler.name;
    if (sampler.sigmas) this.scheduler.sigmas = sampler.sigmas;
    return undefined;
  }

  private schedule(value: string): string | undefined {
    const sampler = fromA1111Sampler(this.details.get('Sampler') ?? '');
    const sigmas = fromA1111Schedule(value, sampler?.name);
    if (sigmas === undefined) return 'Impasto has no schedule of this name';
    // An older name ends in the schedule and then counts more than "Automatic".
    if (!sampler?.sigmas) this.scheduler.sigmas = sigmas;
    return undefined;
  }

  private noise(value: string): string | undefined {
    if (!/^(cpu|gpu|nv)$/i.test(value)) return 'no such generator';
    // A1111's NV is Philox as CUDA draws it, on any device.
    this.request.noise = value.toLowerCase() === 'cpu' ? 'cpu' : 'cuda';
    return undefined;
  }

  private eta(key: string, value: string): string | undefined {
    const name = fromA1111Sampler(this.details.get('Sampler') ?? '')?.name;
    const eta = toNumber(value);
    const takes = key === 'Eta DDIM' ? name === 'ddim' : name === 'tcd';
    if (!takes || !(eta >= 0 && eta <= 1)) return 'this sampler takes no such value';
    this.scheduler.eta = eta;
    return undefined;
  }

  private noiseSchedule(value: string): string | undefined {
    if (value !== 'Zero Terminal SNR') return value === 'Default' ? undefined : '';
    this.scheduler.rescaleBetasZeroSnr = true;
    return undefined;
  }
}

function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function toNumber(value: string): number {
  return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
}
