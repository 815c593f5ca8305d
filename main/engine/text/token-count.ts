import { extractExtraNetworks } from '../../../contract/prompt/extra-networks.ts';
import { resolveSchedules } from '../../../contract/prompt/schedule.ts';
import { type ChunkOptions, type ChunkPlan, type PromptTokenizer, planChunks } from './chunks.ts';

/** How full each chunk of a prompt is: `used` of `of` tokens. */
export interface TokenCount {
  chunks: { used: number; of: number }[];
}

/** The count of a plan that is already made. */
export function countPlan(plan: ChunkPlan): TokenCount {
  return { chunks: plan.chunks.map(({ used, ids }) => ({ used, of: ids.length - 2 })) };
}

/**
 * Counts a prompt as it is written: LoRA tags cost nothing, and of a schedule's texts the longest counts.
 * @throws as {@link planChunks}
 */
export function countTokens(
  prompt: string,
  tokenizer: PromptTokenizer,
  options: ChunkOptions & { steps: number },
): TokenCount {
  const texts = new Set(
    resolveSchedules(extractExtraNetworks(prompt).text, options.steps).map((scheduled) => scheduled.text),
  );
  let longest: ChunkPlan | null = null;
  for (const text of texts) {
    const plan = planChunks(text, tokenizer, options);
    if (!longest || plan.chunks.length > longest.chunks.length || isFuller(plan, longest)) longest = plan;
  }
  return longest ? countPlan(longest) : { chunks: [] };
}

function isFuller(plan: ChunkPlan, other: ChunkPlan): boolean {
  return plan.chunks.length === other.chunks.length && plan.tokens > other.tokens;
}
