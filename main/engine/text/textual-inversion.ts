import { basename, extname } from 'node:path';
import { ImpastoError } from '../../../contract/errors.ts';
import { pickleRefused } from '../../../models/weights/not-safetensors.ts';
import { readSafetensorsHeader, readTensor } from '../../../models/weights/safetensors.ts';
import type { WeightRef } from '../../../models/weights/weight-map.ts';

/** The learned vectors for one text encoder. */
export interface EmbeddingTable {
  /** The encoder's hidden size. */
  width: number;
  /** [vectors, width] */
  values: Float32Array;
}

/** A textual inversion (Gal et al. 2022): vectors that stand for a word. */
export interface TextualInversion {
  path: string;
  /** The word that the file suggests: its tensor's name where that is a word, else the file's name. */
  suggestedToken: string;
  vectors: number;
  /** One table a text encoder, in the model's order: one for SD 1.x and 2.x, two (CLIP-L, bigG) for SDXL. */
  tables: EmbeddingTable[];
}

/** A textual inversion is a few kilobytes; this is room for thousands of vectors. */
const largestTensor = 64 * 1024 * 1024;
const pickleExtensions = new Set(['.pt', '.pth', '.bin', '.ckpt', '.pkl']);
/** The two encoders of SDXL by the names that trainers give them. */
const sdxlPairs = [
  ['clip_l', 'clip_g'],
  ['text_encoders_0', 'text_encoders_1'],
] as const;
const namesThatAreNoWord = new Set(['emb_params', 'clip_l', 'clip_g', '*', 'string_to_param', 'weight', 'embedding']);

/**
 * Reads a `.safetensors` embedding: [n, width] (or [width]) under any one key, or `clip_l` and `clip_g` for SDXL, as
 * F32, F16 or BF16.
 * @throws ImpastoError `PICKLE_REFUSED` for `.pt` and `.bin`; `ADAPTER_INVALID` where the tensors are no embedding or
 *   hold NaN or infinity; as {@link readSafetensorsHeader} and {@link readTensor} where the file is broken
 */
export async function readTextualInversion(path: string): Promise<TextualInversion> {
  if (pickleExtensions.has(extname(path).toLowerCase())) throw pickleRefused(path);
  const { tensors } = await readSafetensorsHeader(path);
  const keys = embeddingKeys(path, [...tensors.keys()]);
  const read = await Promise.all(keys.map((key) => readTable(path, key, tensors.get(key))));
  const [first] = read;
  if (!first || read.some(({ vectors }) => vectors !== first.vectors)) {
    throw invalid(
      path,
      `its encoders have different numbers of vectors (${read.map(({ vectors }) => vectors).join(', ')})`,
    );
  }
  const [key = ''] = keys;
  const named = keys.length === 1 && !namesThatAreNoWord.has(key);
  return {
    path,
    suggestedToken: named ? key : basename(path, extname(path)),
    vectors: first.vectors,
    tables: read.map(({ table }) => table),
  };
}

/**
 * Checks that an embedding fits a model.
 * @param hiddenSizes of the model's text encoders, in order
 * @throws ImpastoError `ADAPTER_WRONG_BASE`, naming the family that the embedding is for and the model's
 */
export function checkTextualInversion({ path, tables }: TextualInversion, hiddenSizes: readonly number[]): void {
  const widths = tables.map(({ width }) => width);
  if (widths.length === hiddenSizes.length && widths.every((width, index) => width === hiddenSizes[index])) return;
  throw new ImpastoError(
    'ADAPTER_WRONG_BASE',
    `The embedding ${basename(path)} is for ${describeWidths(widths)}; this model is ${describeWidths(hiddenSizes)}.`,
    `Use it with a model of its own family, or get a version for ${familyOf(hiddenSizes) ?? 'this one'}.`,
  );
}

/** Vector number `vector` of a table: [width]. */
export function embeddingVector({ values, width }: EmbeddingTable, vector: number): Float32Array {
  return values.subarray(vector * width, (vector + 1) * width);
}

function embeddingKeys(path: string, names: string[]): readonly string[] {
  for (const pair of sdxlPairs) {
    if (names.length === pair.length && pair.every((name) => names.includes(name))) return pair;
  }
  if (names.length === 1) return names;
  if (names.length === 0) throw invalid(path, 'it holds no tensor');
  const kind = names.some((name) => /lora_|\.lora|hada_|lokr_/.test(name)) ? 'it is a LoRA' : 'it is no embedding';
  throw invalid(path, `${kind}: it holds ${names.length} tensors (${names.slice(0, 3).join(', ')}…)`);
}

async function readTable(
  path: string,
  key: string,
  ref: WeightRef | undefined,
): Promise<{ vectors: number; table: EmbeddingTable }> {
  const shape = ref?.shape.length === 1 ? [1, ...ref.shape] : (ref?.shape ?? []);
  const [vectors = 0, width = 0] = shape;
  if (!ref || shape.length !== 2 || vectors < 1 || width < 1 || ref.length > largestTensor) {
    throw invalid(path, `"${key}" is [${ref?.shape.join(', ')}], where [vectors, width] was expected`);
  }
  const values = await readTensor(ref);
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw invalid(path, `"${key}" holds ${values[bad]} in vector ${Math.floor(bad / width)}`);
  }
  return { vectors, table: { width, values } };
}

function familyOf(widths: readonly number[]): string | null {
  const families: Record<string, string> = {
    '768': 'Stable Diffusion 1.x',
    '1024': 'Stable Diffusion 2.x',
    '768,1280': 'SDXL',
  };
  return families[widths.join(',')] ?? null;
}

function describeWidths(widths: readonly number[]): string {
  const wide = `${widths.join(' and ')} wide`;
  const family = familyOf(widths);
  return family ? `${family} (${wide})` : `text encoders ${wide}`;
}

function invalid(path: string, what: string): ImpastoError {
  return new ImpastoError(
    'ADAPTER_INVALID',
    `${path} cannot be used as a textual inversion: ${what}.`,
    'Get the embedding again, as .safetensors, from where it was published.',
  );
}
