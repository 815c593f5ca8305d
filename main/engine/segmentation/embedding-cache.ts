import type { Tensor } from '../runtime/tensor.ts';

/** What an encoder makes of a picture: all that a decoder needs of it. */
export interface Embeddings {
  embeddings: Tensor;
  /** Of the square's places, where the decoder takes them. */
  positions: Tensor | null;
}

/** Of a usual SAM 4 MB each, or 8 with positions. */
const kept = 8;

/** Embeddings of the pictures that were clicked on last, so that each further click runs the decoder only. */
export class EmbeddingCache {
  readonly #known = new Map<string, Promise<Embeddings>>();

  /** @param key tells the picture's content and the model apart from all others */
  of(key: string, encode: () => Promise<Embeddings>): Promise<Embeddings> {
    const found = this.#known.get(key) ?? encode();
    // The last used stands last.
    this.#known.delete(key);
    this.#known.set(key, found);
    found.catch(() => this.#known.get(key) === found && this.#known.delete(key));
    for (const oldest of [...this.#known.keys()].slice(0, -kept)) this.#known.delete(oldest);
    return found;
  }

  clear(): void {
    this.#known.clear();
  }
}
