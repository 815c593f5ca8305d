import { ImpastoError } from '../../contract/errors.ts';
import type { TokenizerSource } from '../../models/checkpoint/checkpoint.ts';
import { openCheckpoint } from '../../models/checkpoint/open.ts';
import { ClipTokenizer } from '../engine/text/clip-tokenizer.ts';
import { countTokens } from '../engine/text/token-count.ts';
import { ChoiceRandom } from '../queue/batch/random.ts';
import { fillPrompt, listWildcards, wildcardFolder } from '../queue/batch/wildcards.ts';
import type { HandlerContext } from './context.ts';
import type { HandlersOf } from './handlers.ts';
import { modelPath } from './model-path.ts';
import { RequestFiles } from './request-files.ts';

export function promptHandlers(context: HandlerContext): HandlersOf<'prompt' | 'wildcards'> {
  const { wildcards } = context.paths;
  return {
    'prompt.count': async ({ model, prompt, steps }) => {
      const { textEncoder, textEncoder2, name } = await openCheckpoint(modelPath(model).path);
      const encoder = textEncoder ?? textEncoder2;
      if (!encoder) throw new ImpastoError('PART_MISSING', `${name} has no text encoder.`, 'Choose another model.');
      const { maxLength, padTokenId } = encoder.tokenizer;
      return countTokens(prompt, tokenizerOf(encoder.tokenizer), { maxLength, padTokenId, steps });
    },
    'prompt.resolve': async ({ request }) => {
      const files = new RequestFiles(context);
      return { request: await files.resolve(request), warnings: files.warnings };
    },
    'wildcards.list': () => ({ folder: wildcards, wildcards: listWildcards(wildcards) }),
    'wildcards.fill': ({ prompt, seed, count }) => {
      const source = wildcardFolder(wildcards);
      const fill = (index: number) => fillPrompt(prompt, new ChoiceRandom(seed + index), source, []);
      return { prompts: Array.from({ length: count }, (_, index) => fill(index)) };
    },
  };
}

/** A vocabulary takes a moment to read, and prompts are counted while they are typed. */
let latest: { key: string; tokenizer: ClipTokenizer } | null = null;

function tokenizerOf({ folder, padTokenId }: TokenizerSource): ClipTokenizer {
  const key = `${padTokenId} ${folder}`;
  if (latest?.key !== key) {
    latest = { key, tokenizer: folder ? ClipTokenizer.fromFolder(folder) : ClipTokenizer.standard(padTokenId) };
  }
  return latest.tokenizer;
}
