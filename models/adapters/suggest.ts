import type { AdapterSuggestion, CaptionTag } from '../../contract/adapter.ts';

/** What is known of an adapter in words. */
export interface DescribedAdapter {
  path: string;
  name: string;
  triggers: readonly string[];
  /** Title and description. */
  description: string;
  /** Tags of its training captions. */
  tags: readonly CaptionTag[];
  /** What its author prefers; null: {@link usualStrength}. */
  strength: number | null;
}

/** Of the composition paper (Zhong et al. 2024), for several at once. */
const usualStrength = 0.8;

/** A trigger is what an adapter was made to answer to; a tag or a description may name anything. */
const weights = { triggers: 4, name: 2, description: 1, tags: 1 };
const fields = ['triggers', 'name', 'description', 'tags'] as const;
type Field = (typeof fields)[number];

/** Saturation, and how much long fields are held against: the usual values of BM25. */
const [k1, b] = [1.2, 0.75];

/**
 * Adapters whose words are those of the prompt, the best first: BM25F (Robertson, Zaragoza, Taylor 2004) over triggers,
 * name, description and caption tags. It suggests and applies nothing.
 */
export function suggestAdapters(prompt: string, adapters: readonly DescribedAdapter[]): AdapterSuggestion[] {
  const wanted = new Set(wordsOf(prompt.replace(/<[^>]*>/g, ' ')));
  const documents = adapters.map((adapter) => ({ adapter, fields: fieldsOf(adapter) }));
  const average = Object.fromEntries(
    fields.map((field) => {
      const lengths = documents.map((document) => total(document.fields[field]));
      return [field, lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, lengths.length)];
    }),
  ) as Record<Field, number>;
  const found = documents.flatMap(({ adapter, fields: own }) => {
    const parts = [...wanted]
      .map((word) => ({ word, part: saturated(frequency(word, own, average)) * rarity(word, documents) }))
      .filter(({ part }) => part > 0)
      .sort((one, other) => other.part - one.part);
    const score = parts.reduce((sum, { part }) => sum + part, 0);
    return score > 0 ? [{ adapter, score, words: parts.map(({ word }) => word) }] : [];
  });
  found.sort((one, other) => other.score - one.score || (one.adapter.path < other.adapter.path ? -1 : 1));
  const best = found[0]?.score ?? 1;
  return found.map(({ adapter: { path, name, strength }, score, words }) => {
    const full = (strength ?? usualStrength) * (0.5 + (0.5 * score) / best);
    return { path, name, score, words, strength: Math.round(full * 20) / 20 };
  });
}

/** How often each word stands in each field; a tag counts by the share of pictures that it captioned. */
type Counts = Record<Field, Map<string, number>>;

function fieldsOf({ name, triggers, description, tags }: DescribedAdapter): Counts {
  const most = tags.reduce((highest, { count }) => Math.max(highest, count), 0);
  return {
    triggers: counted(triggers.map((text) => ({ text, count: 1 }))),
    name: counted([{ text: name, count: 1 }]),
    description: counted([{ text: description, count: 1 }]),
    tags: counted(tags.map(({ tag, count }) => ({ text: tag, count: count / most }))),
  };
}

function counted(texts: readonly { text: string; count: number }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { text, count } of texts) {
    for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + count);
  }
  return counts;
}

const total = (counts: Map<string, number>): number => [...counts.values()].reduce((sum, count) => sum + count, 0);
const saturated = (frequency: number): number => (frequency * (k1 + 1)) / (frequency + k1);

function frequency(word: string, own: Counts, average: Record<Field, number>): number {
  let sum = 0;
  for (const field of fields) {
    const count = own[field].get(word);
    if (count !== undefined) sum += (weights[field] * count) / (1 - b + (b * total(own[field])) / average[field]);
  }
  return sum;
}

/** ln(1 + (N - n + 1/2) / (n + 1/2)): what every adapter says tells little. */
function rarity(word: string, documents: readonly { fields: Counts }[]): number {
  const holding = documents.filter((document) => fields.some((field) => document.fields[field].has(word))).length;
  return Math.log(1 + (documents.length - holding + 0.5) / (holding + 0.5));
}

/** Words that say nothing of a picture, and what files and prompts are full of. */
const empty = new Set(
  'a an the and or of in on at to with by for from is are this that it as its be your you lora locon style sd sdxl xl'.split(
    ' ',
  ),
);

/** Lower case, `paperCut` and `paper_cut` as two words, plurals as singulars. */
function wordsOf(text: string): string[] {
  const parts = text
    .normalize('NFKC')
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .toLowerCase();
  const words = parts.match(/\p{L}[\p{L}\p{M}\p{N}]*/gu) ?? [];
  return words.filter((word) => !empty.has(word) && !/^v\d+$/.test(word)).map(singular);
}

function singular(word: string): string {
  return word.length > 3 && word.endsWith('s') && !word.endsWith('ss') ? word.slice(0, -1) : word;
}
