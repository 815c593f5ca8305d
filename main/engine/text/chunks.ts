import type { EngineWarning } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import { maxWeight, parseAttention } from '../../../contract/prompt/attention.ts';
import { type EmbeddingToken, embeddingCutter } from './embedding-tokens.ts';

/**
 * A prompt as the text encoder takes it: chunks of `maxLength` tokens (start, content, end, padding), each encoded on
 * its own and laid end to end, so that a prompt may be of any length. Chunks are cut as AUTOMATIC1111 cuts them.
 */

/** What {@link planChunks} needs of a tokenizer. */
export interface PromptTokenizer {
  encode(text: string): number[];
  readonly bos: number;
  readonly eos: number;
}

/** At `position` (0 is the start token) vector number `vector` of embedding `token` replaces the token's own. */
export interface EmbeddingOverride {
  position: number;
  token: string;
  vector: number;
}

export interface Chunk {
  /** [maxLength] */
  ids: Int32Array;
  /** [maxLength]: each token's weight; 1 for start, end and padding. */
  weights: Float32Array;
  overrides: EmbeddingOverride[];
  /** Tokens of content, at most maxLength - 2. */
  used: number;
}

export interface ChunkPlan {
  /** At least one. */
  chunks: Chunk[];
  /** Tokens of content in all chunks. */
  tokens: number;
  /** A chunk without content, to bring two plans to the same length. */
  empty: Chunk;
  warnings: EngineWarning[];
}

export interface ChunkOptions {
  /** Tokens that the text encoder reads at once: 77. */
  maxLength: number;
  padTokenId: number;
  /** Textual inversions that may stand in the prompt. */
  embeddings?: readonly EmbeddingToken[];
  /** Take the text as it is: no attention syntax, no BREAK. */
  plain?: boolean;
}

/** A chunk that is full is cut after a comma where one stands among its last tokens, as A1111's default has it. */
const commaBacktrack = 20;

interface ContentToken {
  id: number;
  weight: number;
  embedding: { token: string; vector: number } | null;
}

/**
 * Lays a prompt (schedules and LoRA tags already taken out) out in chunks. Nothing is truncated. A prompt without
 * syntax that fits one chunk gives the ids that diffusers feeds to the text encoder.
 * @throws ImpastoError `ADAPTER_INVALID` where an embedding has more vectors than a chunk has room, `CONFIG_INVALID`
 *   where a chunk has no room for content
 */
export function planChunks(text: string, tokenizer: PromptTokenizer, options: ChunkOptions): ChunkPlan {
  const room = options.maxLength - 2;
  if (!(room >= 1)) {
    throw new ImpastoError(
      'CONFIG_INVALID',
      `The tokenizer reads ${options.maxLength} tokens at a time, which leaves none for the prompt.`,
      'Set model_max_length in tokenizer_config.json to the text encoder’s length, usually 77.',
    );
  }
  const layout = new ChunkLayout(room, tokenizer);
  const cutEmbeddings = embeddingCutter(options.embeddings ?? []);
  let clamped = false;
  const segments = options.plain ? [{ kind: 'text' as const, text, weight: 1 }] : parseAttention(text);
  for (const segment of segments) {
    if (segment.kind === 'break') {
      layout.endChunk();
      continue;
    }
    clamped ||= Math.abs(segment.weight) === maxWeight;
    for (const part of cutEmbeddings(segment.text)) {
      if (typeof part === 'string') layout.addTokens(tokenizer.encode(part), segment.weight);
      else layout.addEmbedding(part, segment.weight);
    }
  }

  const finish = (content: readonly ContentToken[]) => writeChunk(content, tokenizer, options);
  const chunks = layout.finish().map(finish);
  return {
    chunks,
    tokens: chunks.reduce((sum, { used }) => sum + used, 0),
    empty: finish([]),
    warnings: clamped
      ? [{ code: 'WEIGHT_LIMITED', message: `A weight in the prompt is limited to ${maxWeight}: too many brackets.` }]
      : [],
  };
}

/** The plan with empty chunks added up to `count`: prompt and negative prompt must have as many. */
export function padChunks(plan: ChunkPlan, count: number): ChunkPlan {
  const missing = Math.max(0, count - plan.chunks.length);
  return { ...plan, chunks: [...plan.chunks, ...Array.from({ length: missing }, () => copyChunk(plan.empty))] };
}

/** Content tokens laid out over chunks of `room`. */
class ChunkLayout {
  readonly #room: number;
  readonly #comma: number | null;
  readonly #placeholder: number;
  readonly #done: ContentToken[][] = [];
  #current: ContentToken[] = [];
  #lastComma = -1;

  constructor(room: number, tokenizer: PromptTokenizer) {
    this.#room = room;
    const [comma, ...more] = tokenizer.encode(',');
    // A vocabulary without a comma reads it as the unknown token, which is the end token.
    this.#comma = comma === undefined || more.length > 0 || comma === tokenizer.eos ? null : comma;
    this.#placeholder = [0, 1, 2].find((id) => id !== tokenizer.bos && id !== tokenizer.eos) ?? 0;
  }

  addTokens(ids: readonly number[], weight: number): void {
    for (const id of ids) {
      if (id === this.#comma) this.#lastComma = this.#current.length;
      else this.#backtrack();
      if (this.#current.length === this.#room) this.endChunk();
      this.#current.push({ id, weight, embedding: null });
    }
  }

  addEmbedding({ token, vectors }: EmbeddingToken, weight: number): void {
    if (vectors > this.#room) {
      throw new ImpastoError(
        'ADAPTER_INVALID',
        `The embedding "${token}" has ${vectors} vectors, and the text encoder reads ${this.#room} tokens at a time.`,
        'Take the embedding out of the prompt, or use one with fewer vectors.',
      );
    }
    this.#backtrack();
    if (this.#current.length + vectors > this.#room) this.endChunk();
    for (let vector = 0; vector < vectors; vector++) {
      this.#current.push({ id: this.#placeholder, weight, embedding: { token, vector } });
    }
  }

  endChunk(): void {
    this.#done.push(this.#current);
    this.#current = [];
    this.#lastComma = -1;
  }

  finish(): ContentToken[][] {
    if (this.#current.length > 0 || this.#done.length === 0) this.endChunk();
    return this.#done;
  }

  /** Moves what follows the last comma of a full chunk to the next one. */
  #backtrack(): void {
    const { length } = this.#current;
    if (length !== this.#room || this.#lastComma < 0 || length - this.#lastComma > commaBacktrack) return;
    const moved = this.#current.splice(this.#lastComma + 1);
    this.endChunk();
    this.#current = moved;
  }
}

function writeChunk(content: readonly ContentToken[], tokenizer: PromptTokenizer, options: ChunkOptions): Chunk {
  const ids = new Int32Array(options.maxLength).fill(options.padTokenId);
  const weights = new Float32Array(options.maxLength).fill(1);
  const overrides: EmbeddingOverride[] = [];
  ids[0] = tokenizer.bos;
  content.forEach(({ id, weight, embedding }, index) => {
    const position = index + 1;
    ids[position] = id;
    weights[position] = weight;
    if (embedding) overrides.push({ position, ...embedding });
  });
  ids[content.length + 1] = tokenizer.eos;
  return { ids, weights, overrides, used: content.length };
}

function copyChunk({ ids, weights, used }: Chunk): Chunk {
  return { ids: ids.slice(), weights: weights.slice(), overrides: [], used };
}
