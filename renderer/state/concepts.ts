import type { AdapterRef, Concept } from '../../contract/request.ts';
import { edit, useDraft } from './draft.ts';

/** The contract allows so many. */
export const mostConcepts = 16;

/** A thing that CLoRA keeps apart, by its words in the prompt. @returns its place among the concepts */
export function addConcept(words: string): number {
  const { concepts } = useDraft.getState().draft;
  if (concepts.length >= mostConcepts) return concepts.length - 1;
  const name = freeName(words, concepts);
  edit('Concept', { concepts: [...concepts, { name, words }] }, `concept ${Date.now()}`);
  return concepts.length;
}

/** Gives a concept other words. It is named by them, and so do the adapters that draw it. */
export function rewriteConcept(at: number, words: string): void {
  const { concepts, adapters } = useDraft.getState().draft;
  const before = concepts[at];
  if (!before || words.trim() === '' || words === before.words) return;
  const others = concepts.filter((_, index) => index !== at);
  const name = freeName(words, others);
  edit('Concept', {
    concepts: concepts.map((one, index) => (index === at ? { ...one, name, words: words.trim() } : one)),
    adapters: adapters.map((one) => (one.concept === before.name ? { ...one, concept: name } : one)),
  });
}

/** What a concept's own adapters read in its words' place; empty: the same words. */
export function readConceptAs(at: number, as: string): void {
  const { concepts } = useDraft.getState().draft;
  edit('Concept', {
    concepts: concepts.map((one, index) => {
      if (index !== at) return one;
      const { as: _, ...others } = one;
      return as.trim() === '' ? others : { ...others, as };
    }),
  });
}

export function removeConcept(at: number): void {
  const { concepts, adapters } = useDraft.getState().draft;
  const gone = concepts[at];
  edit(
    'Remove concept',
    {
      concepts: concepts.filter((one) => one !== gone),
      adapters: adapters.map((one) => (one.concept === gone?.name ? withoutConcept(one) : one)),
    },
    `concept ${Date.now()}`,
  );
}

/** Says which concept an adapter draws; null: all of them, as a style does. */
export function giveConcept(adapterAt: number, concept: string | null): void {
  const { adapters } = useDraft.getState().draft;
  edit('Concept', {
    adapters: adapters.map((one, index) => {
      if (index !== adapterAt) return one;
      return concept === null ? withoutConcept(one) : { ...one, concept };
    }),
  });
}

function withoutConcept({ concept: _, ...adapter }: AdapterRef): AdapterRef {
  return adapter;
}

/** A concept is called by its words; a second of the same words has a number. */
function freeName(words: string, others: readonly Concept[]): string {
  const taken = new Set(others.map(({ name }) => name));
  const name = words.trim().slice(0, 190);
  if (!taken.has(name)) return name;
  for (let number = 2; ; number += 1) if (!taken.has(`${name} ${number}`)) return `${name} ${number}`;
}
