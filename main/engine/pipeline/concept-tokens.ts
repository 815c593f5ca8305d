import { ImpastoError } from '../../../contract/errors.ts';
import { extractExtraNetworks } from '../../../contract/prompt/extra-networks.ts';
import { resolveSchedules } from '../../../contract/prompt/schedule.ts';
import type { Composition } from '../../../contract/request.ts';
import type { LoadedModel } from '../model/loaded-model.ts';
import type { Chunk } from '../text/chunks.ts';
import { type NamedEmbedding, planOf } from './text-conditioning.ts';

/**
 * Where words stand in a prompt: the columns of its tokens in the conditioning, at a step. Weights and chunks as the
 * prompt is encoded; every occurrence counts.
 * @param words null: every word of the prompt
 * @param whose what the words belong to, for the error
 * @param only `last`: of each occurrence its last token alone
 * @throws ImpastoError `REQUEST_INVALID` where the prompt does not hold them
 */
export function tokenColumns(
  model: LoadedModel,
  prompt: string,
  words: string | null,
  embeddings: readonly NamedEmbedding[],
  at: { step: number; steps: number },
  whose: string,
  only: Composition['conceptTokens'] = 'all',
): number[] {
  const content = contentOf(model, promptAt(prompt, at), embeddings);
  if (words === null) return content.map(({ column }) => column);
  const wanted = contentOf(model, words, embeddings).map(({ token }) => token);
  const found = new Set<number>();
  for (let start = 0; start + wanted.length <= content.length; start++) {
    if (!wanted.every((token, index) => content[start + index]?.token === token)) continue;
    for (let index = only === 'last' ? wanted.length - 1 : 0; index < wanted.length; index++) {
      found.add((content[start + index] as Content).column);
    }
  }
  if (wanted.length > 0 && found.size > 0) return [...found].sort((a, b) => a - b);
  throw new ImpastoError(
    'REQUEST_INVALID',
    `${whose} stands for the words "${words}", and the prompt "${prompt}" does not hold them.`,
    'Name words as they stand in the prompt.',
  );
}

function promptAt(prompt: string, { step, steps }: { step: number; steps: number }): string {
  const variants = resolveSchedules(extractExtraNetworks(prompt).text, steps);
  return variants.findLast(({ fromStep }) => fromStep <= step)?.text ?? '';
}

interface Content {
  token: string;
  column: number;
}

function contentOf(model: LoadedModel, text: string, embeddings: readonly NamedEmbedding[]): Content[] {
  const encoder = model.text[0] as LoadedModel['text'][number];
  const { chunks } = planOf(text, encoder, embeddings);
  const perChunk = (chunk: Chunk, index: number): Content[] =>
    Array.from({ length: chunk.used }, (_, at) => {
      const position = at + 1;
      const override = chunk.overrides.find((candidate) => candidate.position === position);
      const token = override ? `${override.token}#${override.vector}` : String(chunk.ids[position]);
      return { token, column: index * chunk.ids.length + position };
    });
  return chunks.flatMap(perChunk);
}
