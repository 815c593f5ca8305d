import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';

/** What a model manager left beside the file: `NAME.civitai.info` or `NAME.json`. */
export interface Sidecar {
  file: string;
  triggers: string[];
  /** e.g. `SD 1.5`, `SDXL Lightning`. */
  base: string | null;
  /** Set where the file is there but is not such a sidecar. */
  problem: string | null;
}

/** Larger is no sidecar; it bounds what is parsed. */
const largest = 1024 * 1024;

/** Civitai's model version, as its API and the managers that store it have it. */
const CivitaiInfo = z.object({ trainedWords: z.array(z.string()).nullish(), baseModel: z.string().nullish() });

/** What A1111 stores for a network's card. */
const CardInfo = z.object({ 'activation text': z.string().nullish(), 'sd version': z.string().nullish() });

/** @returns Null where there is none. Never throws: an adapter is whole without it. */
export async function readSidecar(path: string): Promise<Sidecar | null> {
  const stem = basename(path).replace(/\.safetensors$/i, '');
  for (const name of [`${stem}.civitai.info`, `${stem}.json`]) {
    const file = join(dirname(path), name);
    const text = await readSmall(file);
    if (text === null) continue;
    return { file, ...parse(text) };
  }
  return null;
}

/** PEFT's own config, beside a file that PEFT itself saved. */
export async function readPeftConfig(path: string): Promise<string | null> {
  return basename(path) === 'adapter_model.safetensors' ? readSmall(join(dirname(path), 'adapter_config.json')) : null;
}

async function readSmall(file: string): Promise<string | null> {
  try {
    const { size } = await stat(file);
    return size <= largest ? await readFile(file, 'utf8') : null;
  } catch {
    return null;
  }
}

function parse(text: string): Omit<Sidecar, 'file'> {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return { triggers: [], base: null, problem: 'it is not JSON' };
  }
  const civitai = CivitaiInfo.safeParse(value);
  const card = CardInfo.safeParse(value);
  if (!civitai.success && !card.success) return { triggers: [], base: null, problem: 'its trained words are no words' };
  const words = [
    ...(civitai.data?.trainedWords ?? []).flatMap((phrase) => phrase.split(',')),
    ...(card.data?.['activation text']?.split(',') ?? []),
  ].map((word) => word.trim());
  const base = civitai.data?.baseModel ?? card.data?.['sd version'] ?? null;
  return { triggers: [...new Set(words.filter((word) => word !== ''))], base, problem: null };
}
