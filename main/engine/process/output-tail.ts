/** The last bytes of what a process wrote. */
export class OutputTail {
  readonly #limit: number;
  readonly #chunks: Buffer[] = [];
  #length = 0;

  /** @param limit bytes that are kept */
  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Buffer): void {
    const kept = chunk.length > this.#limit ? chunk.subarray(chunk.length - this.#limit) : chunk;
    this.#chunks.push(kept);
    this.#length += kept.length;
    while (this.#length > this.#limit) {
      const first = this.#chunks[0] as Buffer;
      const excess = this.#length - this.#limit;
      if (first.length <= excess) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(excess);
      this.#length -= Math.min(first.length, excess);
    }
  }

  /** A character cut in half at the start shows as a replacement character. */
  toString(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
