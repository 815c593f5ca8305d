import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';

/** What model managers leave beside a model: Civitai's record of it, A1111's card, a picture to show. */
export interface Sidecar {
  name: string | null;
  description: string | null;
  triggers: string[];
  base: string | null;
  /** The strength it is best used with. */
  strength: number | null;
  /** What could not be read. */
  notes: string[];
}

const endings = ['.civitai.info', '.json'];
const pictures = ['.preview.png', '.png', '.preview.jpg', '.jpg', '.preview.jpeg', '.jpeg', '.preview.webp', '.webp'];

/** Names of a folder's files by their small letters, as most systems tell files apart. */
export function byLowerCase(files: readonly string[]): Map<string, string> {
  return new Map(files.map((name) => [name.toLowerCase(), name]));
}

/**
 * Those that belong to `NAME.safetensors`: `NAME.json`, `NAME.preview.png`, ...
 * @param files of the model's folder, as {@link byLowerCase} gives them
 */
export function besideModel(
  stem: string,
  files: ReadonlyMap<string, string>,
): { sidecars: string[]; preview: string | null } {
  const find = (ending: string) => files.get(`${stem}${ending}`.toLowerCase());
  return {
    sidecars: endings.map(find).filter((name) => name !== undefined),
    preview: pictures.map(find).find((name) => name !== undefined) ?? null,
  };
}

/** Larger is no sidecar; it bounds what is parsed. */
const largest = 1024 * 1024;

/** A text that another tool wrote carelessly (a number, null) is no reason to refuse the rest. */
const lenient = <T extends z.ZodType>(schema: T) => schema.nullish().catch(null);

/** Civitai's model version, as its API gives it, and A1111's card of a network; a file may be either. */
const Record = z.object({
  name: lenient(z.string()),
  model: lenient(z.object({ name: lenient(z.string()), description: lenient(z.string()) })),
  description: lenient(z.string()),
  trainedWords: lenient(z.array(z.string())),
  baseModel: lenient(z.string()),
  'activation text': lenient(z.string()),
  'sd version': lenient(z.string()),
  'preferred weight': lenient(z.number()),
});

export function emptySidecar(): Sidecar {
  return { name: null, description: null, triggers: [], base: null, strength: null, notes: [] };
}

/** Reads all of a model's sidecars as one. Never throws: a model is whole without them. */
export async function readSidecars(files: readonly string[]): Promise<Sidecar> {
  const all = emptySidecar();
  for (const file of files) {
    const found = await read(file);
    if (typeof found === 'string') {
      all.notes.push(`${basename(file)} was not read: ${found}.`);
      continue;
    }
    const version = found.name;
    const title = found.model?.name;
    all.name ??= clean(title && version && version !== title ? `${title} (${version})` : (title ?? null), 300);
    all.description ??= clean(found.description || found.model?.description, 4000);
    all.base ??= clean(found.baseModel ?? found['sd version'], 100);
    // A1111's card has 0 for "not set".
    all.strength ??= found['preferred weight'] || null;
    const words = [...(found.trainedWords ?? []), found['activation text'] ?? ''].flatMap((text) => text.split(','));
    for (const word of words) {
      const trimmed = clean(word, 500);
      if (trimmed && !all.triggers.includes(trimmed) && all.triggers.length < 200) all.triggers.push(trimmed);
    }
  }
  return all;
}

async function read(file: string): Promise<z.infer<typeof Record> | string> {
  try {
    const { size } = await stat(file);
    if (size > largest) return `it has ${size} bytes, far more than such a file`;
    const value: unknown = JSON.parse((await readFile(file, 'utf8')).replace(/^\uFEFF/, ''));
    const parsed = Record.safeParse(value);
    return parsed.success ? parsed.data : 'it is no record of a model';
  } catch (thrown) {
    return thrown instanceof SyntaxError ? 'it is not JSON' : (thrown as Error).message;
  }
}

const entities: { [name: string]: string } = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  nbsp: ' ',
  '#39': "'",
  apos: "'",
};

/** HTML, as Civitai's descriptions are, to plain text of at most `length` characters; null where nothing is left. */
function clean(html: string | null | undefined, length: number): string | null {
  if (!html) return null;
  const text = html
    .slice(0, length * 20)
    .replace(/<(?:br|\/p|\/li|\/h\d)\b[^<>]*>/gi, '\n')
    .replace(/<\/?[a-z][^<>]*>/gi, '')
    .replace(/&(#39|[a-z]+);/gi, (all, name: string) => entities[name.toLowerCase()] ?? all)
    .replace(/[\p{Cc}\p{Cf}]/gu, (character) => (character === '\n' ? '\n' : ' '))
    .replace(/ {2,}/g, ' ')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
    .toWellFormed();
  return text === '' ? null : text.slice(0, length);
}
