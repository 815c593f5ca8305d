/** A pair of neighbouring symbols that could merge: the one of the lowest rank goes first, among equals the leftmost. */
export interface Candidate {
  rank: number;
  /** Place of the left symbol. */
  left: number;
  /** What the two merge into. */
  merged: number;
}

function isBefore(a: Candidate, b: Candidate): boolean {
  return a.rank === b.rank ? a.left < b.left : a.rank < b.rank;
}

/** A binary heap of merge candidates: keeps a word of n symbols at n log n, however long it is. */
export class MergeQueue {
  readonly #heap: Candidate[] = [];

  push(candidate: Candidate): void {
    const heap = this.#heap;
    let at = heap.push(candidate) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Candidate;
      if (!isBefore(candidate, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = candidate;
  }

  pop(): Candidate | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Candidate, heap[child] as Candidate)) child += 1;
      const below = heap[child] as Candidate;
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}
