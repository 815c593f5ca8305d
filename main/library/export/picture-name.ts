import type { RenderedImage, RenderSummary } from '../../../contract/engine.ts';
import type { NameToken } from '../../../contract/export.ts';
import { safeFileName, truncateToBytes } from '../files/file-name.ts';
import { plainModelName } from '../metadata/model-name.ts';

/** A long prompt must not push the tokens after it out of the name. */
const maxPromptBytes = 90;

/**
 * The path below the export folder, without extension, that a template makes for a picture. Slashes in the template
 * make folders; those in a prompt or a model's name never do.
 * @param now Local time stands for {date} and {time}.
 */
export function pictureName(template: string, image: RenderedImage, summary: RenderSummary, now: Date): string[] {
  const { request } = summary;
  const two = (value: number) => String(value).padStart(2, '0');
  const values: Record<NameToken, string> = {
    date: `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`,
    time: `${two(now.getHours())}-${two(now.getMinutes())}-${two(now.getSeconds())}`,
    seed: String(image.seed),
    prompt: promptWords(request.prompt),
    model: plainModelName(summary.modelName),
    width: String(image.width),
    height: String(image.height),
    steps: String(request.steps),
    sampler: request.scheduler.name,
    guidance: String(request.guidance.scale),
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
