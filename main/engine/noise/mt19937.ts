const stateSize = 624;
const shiftSize = 397;
const twistMask = 0x9908b0df;

/**
 * The 32-bit Mersenne Twister (Matsumoto and Nishimura 1998), seeded as `torch.manual_seed` does: only the low 32 bits
 * of the seed count.
 */
export class Mt19937 {
  readonly #state = new Uint32Array(stateSize);
  #next = stateSize;

  /** @param seed an integer in [0, 2^53) */
  constructor(seed: number) {
    const state = this.#state;
    state[0] = seed % 2 ** 32;
    for (let i = 1; i < stateSize; i++) {
      const previous = word(state, i - 1);
      state[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i;
    }
  }

  /** The next integer in [0, 2^32). */
  uint32(): number {
    if (this.#next === stateSize) {
      this.#twist();
      this.#next = 0;
    }
    let y = word(this.#state, this.#next++);
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  }

  #twist(): void {
    const state = this.#state;
    for (let i = 0; i < stateSize; i++) {
      const mixed = (word(state, i) & 0x80000000) | (word(state, (i + 1) % stateSize) & 0x7fffffff);
      state[i] = word(state, (i + shiftSize) % stateSize) ^ (mixed >>> 1) ^ (mixed & 1 ? twistMask : 0);
    }
  }
}

function word(state: Uint32Array, index: number): number {
  return state[index] as number;
}
