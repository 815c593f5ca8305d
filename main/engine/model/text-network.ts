import type { EngineWarning } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import type { TextEncoderConfig } from '../../../models/checkpoint/component-config.ts';
import { type TextVariant, textPass } from '../adapters/graph-variants.ts';
import { textActivations } from '../runtime/memory.ts';
import { float32Data, type Tensor } from '../runtime/tensor.ts';
import type { Chunk } from '../text/chunks.ts';
import type { ClipTokenizer } from '../text/clip-tokenizer.ts';
import { applyEmphasis } from '../text/emphasis.ts';
import type { NetworkSessions } from './network-sessions.ts';

export interface EncodedChunk {
  /** [tokens, width] */
  hidden: Float32Array;
  tokens: number;
  width: number;
  pooled: Float32Array | null;
}

/** Which hidden state is wanted, counted from the last (1), and how the graph offers it. */
export interface TextEncodeOptions {
  hiddenStateFromEnd: number;
  warn: (warning: EngineWarning) => void;
}

/**
 * The final layer norm of an exported encoder, which offers all hidden states but norms only the last: [tokens, width]
 * to the same.
 */
export type FinalNorm = (hidden: Float32Array, width: number) => Promise<Float32Array>;

/** What adapters ask of a call: the variant of the graph, and factors and gates by input name. */
export interface TextAdaptation {
  variant: TextVariant;
  inputs: Readonly<Record<string, Tensor>>;
}

/** The encoder's graphs: as it is, and with token embeddings taken from outside. */
export interface TextSessions {
  plain: NetworkSessions;
  overridden: NetworkSessions;
}

/** One text encoder with its tokenizer: a chunk of tokens to hidden states. */
export class TextNetwork {
  readonly config: TextEncoderConfig;
  readonly tokenizer: ClipTokenizer;
  readonly padTokenId: number;
  readonly sessions: TextSessions;
  readonly #importedNorm: FinalNorm | null;

  constructor(
    config: TextEncoderConfig,
    tokenizer: ClipTokenizer,
    padTokenId: number,
    sessions: TextSessions,
    importedNorm: FinalNorm | null,
  ) {
    this.config = config;
    this.tokenizer = tokenizer;
    this.padTokenId = padTokenId;
    this.sessions = sessions;
    this.#importedNorm = importedNorm;
  }

  /**
   * @param vectors textual-inversion vectors [n, width] by token, for the overrides that the chunk names
   * @param adapted what adapters ask of the call
   * @throws ImpastoError `CONFIG_INVALID` where an id lies outside the model's vocabulary
   */
  async encode(
    chunk: Chunk,
    vectors: ReadonlyMap<string, Float32Array>,
    options: TextEncodeOptions,
    adapted: TextAdaptation | null = null,
  ): Promise<EncodedChunk> {
    const { config } = this;
    const ids = chunk.ids;
    const outside = ids.find((id) => id >= config.vocabSize);
    if (outside !== undefined) {
      throw new ImpastoError(
        'CONFIG_INVALID',
        `The tokenizer gave token ${outside}, but the text encoder knows ${config.vocabSize} tokens.`,
        'The tokenizer and the text encoder of this model do not belong together: download the model again.',
      );
    }
    const overrides = chunk.overrides.length > 0;
    const length = ids.length;
    const feeds: Record<string, Tensor> = { input_ids: { data: BigInt64Array.from(ids, BigInt), shape: [1, length] } };
    if (overrides) Object.assign(feeds, overrideFeeds(chunk, vectors, length, config.hiddenSize));
    if (adapted) Object.assign(feeds, adapted.inputs);
    const use = this.sessions[overrides ? 'overridden' : 'plain'].use(adapted ? [textPass(adapted.variant).pass] : []);
    const outputs = await use(textActivations, (session) => {
      // Authored graphs are told where the end-of-text token stands; exported ones find it themselves.
      const told = session.inputs.some((input) => input.name === 'pooled_position');
      const place = { data: BigInt64Array.of(BigInt(this.pooledPosition(ids))), shape: [1] };
      return session.run(told ? { ...feeds, pooled_position: place } : feeds);
    });
    const hidden = pickHidden(outputs, options);
    const width = hidden.tensor.shape[hidden.tensor.shape.length - 1] as number;
    const states = float32Data(hidden.tensor);
    const normed = hidden.bare && this.#importedNorm ? await this.#importedNorm(states, width) : states;
    const pooled = outputs.pooled ?? outputs.text_embeds ?? outputs.pooler_output;
    return {
      hidden: applyEmphasis(normed, chunk.weights, length, width),
      tokens: length,
      width,
      pooled: pooled ? float32Data(pooled) : null,
    };
  }

  /** Where the end-of-text token stands. The legacy id 2 means: at the highest id (transformers' CLIPTextModel). */
  pooledPosition(ids: Int32Array): number {
    const { eosTokenId } = this.config;
    if (eosTokenId === 2) return ids.indexOf(ids.reduce((a, b) => Math.max(a, b), 0));
    return Math.max(0, ids.indexOf(eosTokenId));
  }
}

function overrideFeeds(
  chunk: Chunk,
  vectors: ReadonlyMap<string, Float32Array>,
  length: number,
  width: number,
): Record<string, Tensor> {
  const override = new Float32Array(length * width);
  const mask = new Uint8Array(length);
  for (const { position, token, vector } of chunk.overrides) {
    const table = vectors.get(token);
    if (!table) continue;
    override.set(table.subarray(vector * width, (vector + 1) * width), position * width);
    mask[position] = 1;
  }
  return {
    override: { data: override, shape: [1, length, width] },
    override_mask: { data: mask, shape: [1, length, 1] },
  };
}

/** The wanted hidden state; `bare` where it still lacks the final norm that the last one has had. */
function pickHidden(outputs: Record<string, Tensor>, options: TextEncodeOptions): { tensor: Tensor; bare: boolean } {
  const back = options.hiddenStateFromEnd;
  const authored = outputs[`hidden_state_${back}`];
  if (authored) return { tensor: authored, bare: false };
  // An exported encoder: last_hidden_state is normed; hidden_states.0 is the embedding, .n the last layer's.
  const states = Object.keys(outputs).filter((name) => /^hidden_states\.\d+$/.test(name)).length;
  const exported = outputs[`hidden_states.${states - back}`];
  if (back > 1 && exported) return { tensor: exported, bare: true };
  const last = outputs.last_hidden_state ?? outputs.hidden_state_1;
  if (!last) {
    throw new ImpastoError('ENGINE_ERROR', 'The text encoder gave no hidden states.', 'Export the model again.');
  }
  if (back > 1) {
    options.warn({
      code: 'CLIP_SKIP_UNAVAILABLE',
      message: 'This text encoder offers its last hidden state only: clip skip is left out.',
    });
  }
  return { tensor: last, bare: false };
}
