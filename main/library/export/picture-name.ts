import type { NameToken } from '../../../contract/export.ts';
import { safeFileName, truncateToBytes } from '../files/file-name.ts';
import { plainModelName } from '../metadata/model-name.ts';

/** What a name can tell of a picture; null where the picture does not say. */
export interface NameFacts {
  seed: number | null;
  prompt: string;
  model: string | null;
  width: number;
  height: number;
  steps: number | null;
  sampler: string | null;
  guidance: number | null;
  /** Stands for {prompt} where there is none. */
  fallback?: string;
}

/** A long prompt must not push the tokens after it out of the name. */
const maxPromptBytes = 90;

/**
 * The path below the export folder, without extension, that a template makes for a picture. Slashes in the template
 * make folders; those in a prompt or a model's name never do.
 * @param now Local time stands for {date} and {time}.
 */
export function pictureName(template: string, facts: NameFacts, now: Date): string[] {
  const two = (value: number) => String(value).padStart(2, '0');
  const values: Record<NameToken, string> = {
    date: `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`,
    time: `${two(now.getHours())}-${two(now.getMinutes())}-${two(now.getSeconds())}`,
    seed: String(facts.seed ?? ''),
    prompt: promptWords(facts.prompt || (facts.fallback ?? '')),
    model: plainModelName(facts.model ?? ''),
    width: String(facts.width),
    height: String(facts.height),
    steps: String(facts.steps ?? ''),
    sampler: facts.sampler ?? '',
    guidance: String(facts.guidance ?? ''),
  };
  return template
    .split(/[\\/]/)
    .filter((part) => part !== '')
    .map((part) => safeFileName(part.replace(/\{([^{}]*)\}/g, (all, token) => values[token as NameToken] ?? all)));
}

/** The prompt without its syntax, words joined by dashes. */
function promptWords(prompt: string): string {
  const words = prompt
    .normalize('NFC')
    .replace(/<[^<>]*>/g, ' ')
    .replace(/:[\d.]+/g, ' ')
    .match(/[\p{L}\p{M}\p{N}\p{Emoji_Presentation}'_]+/gu);
  return truncateToBytes((words ?? []).join('-'), maxPromptBytes);
}
