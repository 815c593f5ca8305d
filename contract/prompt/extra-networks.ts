import type { EngineWarning } from '../engine.ts';

/**
 * `<lora:name:weight>` and `<lora:name:te:unet>` tags of AUTOMATIC1111's prompts. `<lyco:...>` is the older name of the
 * same thing; `te=` and `unet=` name a strength. Other `<...>` is the prompt's own text.
 */
export interface LoraTag {
  name: string;
  /** Strength on the text encoders; 1 where none is given. */
  textStrength: number;
  /** Strength on the UNet; the text strength where none is given. */
  unetStrength: number;
  /** Place of the tag in the source: UTF-16 offsets, half-open. */
  start: number;
  end: number;
}

/** What could not be used, and where it stands in the source. */
export interface PromptWarning extends EngineWarning {
  start: number;
  end: number;
}

export interface ExtractedNetworks {
  /** The prompt without its tags. */
  text: string;
  loras: LoraTag[];
  warnings: PromptWarning[];
}

const tagStart = /<(lora|lyco|hypernet):/giy;
const number = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)$/;

/**
 * Takes the tags out of a prompt. A malformed tag is taken out too and comes back as a warning; one that is never
 * closed stays in the text, with a warning. Never throws; linear time.
 */
export function extractExtraNetworks(source: string): ExtractedNetworks {
  const loras: LoraTag[] = [];
  const warnings: PromptWarning[] = [];
  let text = '';
  let kept = 0;
  for (let start = source.indexOf('<'); start >= 0; start = source.indexOf('<', start + 1)) {
    tagStart.lastIndex = start;
    const opening = tagStart.exec(source);
    if (!opening) continue;
    const bodyStart = start + opening[0].length;
    const bodyEnd = endOfTag(source, bodyStart);
    const end = source.charAt(bodyEnd) === '>' ? bodyEnd + 1 : bodyEnd;
    const warn = (code: string, message: string) => warnings.push({ code, message, start, end });
    const shown = shorten(source.slice(start, end));
    if (end === bodyEnd) {
      warn('LORA_TAG_UNCLOSED', `"${shown}" has no closing ">": it is read as words.`);
      continue;
    }
    text += source.slice(kept, start);
    kept = end;
    if (opening[1]?.toLowerCase() === 'hypernet') {
      warn('HYPERNETWORK_UNSUPPORTED', `"${shown}" is left out: hypernetworks are not supported.`);
      continue;
    }
    const tag = parseBody(source.slice(bodyStart, bodyEnd));
    if (typeof tag === 'string') warn('LORA_TAG_MALFORMED', `"${shown}" is left out: ${tag}.`);
    else loras.push({ ...tag, start, end });
  }
  return { text: text + source.slice(kept), loras, warnings };
}

/** Place of the tag's `>`, or of the next `<` or the end of the prompt where it has none. */
function endOfTag(source: string, from: number): number {
  let at = from;
  while (at < source.length && source.charAt(at) !== '>' && source.charAt(at) !== '<') at += 1;
  return at;
}

/** The tag's values, or what is wrong with it. */
function parseBody(body: string): Omit<LoraTag, 'start' | 'end'> | string {
  const [name = '', ...values] = body.split(':').map((part) => part.trim());
  if (name === '') return 'it names no LoRA';
  const strengths: { te?: number; unet?: number } = {};
  let positional = 0;
  for (const value of values) {
    const named = /^(te|unet)\s*=\s*(.*)$/.exec(value);
    const key = named ? (named[1] === 'te' ? 'te' : 'unet') : positional++ === 0 ? 'te' : 'unet';
    if (positional > 2) return 'it has more than two strengths';
    if (strengths[key] !== undefined) return `it gives the ${key === 'te' ? 'text' : 'UNet'} strength twice`;
    const written = named?.[2] ?? value;
    const strength = number.test(written) ? Number(written) : Number.NaN;
    if (!Number.isFinite(strength)) return `"${shorten(written)}" is no strength; write a number, such as 0.8`;
    strengths[key] = strength;
  }
  const textStrength = strengths.te ?? 1;
  return { name, textStrength, unetStrength: strengths.unet ?? textStrength };
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
