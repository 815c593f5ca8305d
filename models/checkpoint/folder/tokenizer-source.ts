import { join } from 'node:path';
import { z } from 'zod';
import type { TokenizerSource } from '../checkpoint.ts';
import type { TextEncoderConfig } from '../component-config.ts';
import { fileSize, readChecked } from './folder-files.ts';

/** Where a folder's tokenizer lies, and its padding token. */

const token = z.union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)]);
const TokenizerConfig = z.looseObject({
  pad_token: token.nullish(),
  model_max_length: z.number().nullish(),
  added_tokens_decoder: z.record(z.string(), z.looseObject({ content: z.string() })).nullish(),
});
const SpecialTokens = z.looseObject({ pad_token: token.nullish() });
const Vocabulary = z.record(z.string(), z.number().int());
const TokenizerJson = z.looseObject({
  model: z.looseObject({ vocab: Vocabulary }),
  added_tokens: z.array(z.looseObject({ id: z.number().int(), content: z.string() })).optional(),
});

/**
 * @param folder The model's `tokenizer` or `tokenizer_2` folder.
 * @param fallbackPad Padding of the family where the folder does not say.
 * @returns `note` where the folder has no vocabulary, so that CLIP's standard one is used.
 * @throws ImpastoError `CONFIG_INVALID` or `FILE_UNREADABLE`.
 */
export async function findTokenizer(
  folder: string,
  config: TextEncoderConfig,
  fallbackPad: number,
): Promise<{ tokenizer: TokenizerSource; note: string | null }> {
  const settings = await readChecked(join(folder, 'tokenizer_config.json'), TokenizerConfig);
  const special = await readChecked(join(folder, 'special_tokens_map.json'), SpecialTokens);
  const maxLength = Math.min(settings?.model_max_length ?? config.maxPositions, config.maxPositions);
  const isPair =
    (await fileSize(join(folder, 'vocab.json'))) !== null && (await fileSize(join(folder, 'merges.txt'))) !== null;
  const isJson = (await fileSize(join(folder, 'tokenizer.json'))) !== null;
  if (!isPair && !isJson) {
    return {
      tokenizer: { folder: null, padTokenId: fallbackPad, maxLength },
      note: `${folder} has no vocabulary: CLIP's standard one is used.`,
    };
  }
  const padToken = settings?.pad_token ?? special?.pad_token;
  const padTokenId = padToken == null ? undefined : await idOf(folder, padToken, settings, isPair);
  return { tokenizer: { folder, padTokenId: padTokenId ?? fallbackPad, maxLength }, note: null };
}

async function idOf(
  folder: string,
  padToken: string,
  settings: z.infer<typeof TokenizerConfig> | null,
  isPair: boolean,
): Promise<number | undefined> {
  const added = Object.entries(settings?.added_tokens_decoder ?? {}).find(([, { content }]) => content === padToken);
  if (added) return Number(added[0]);
  if (isPair) return (await readChecked(join(folder, 'vocab.json'), Vocabulary))?.[padToken];
  const json = await readChecked(join(folder, 'tokenizer.json'), TokenizerJson);
  return json?.added_tokens?.find(({ content }) => content === padToken)?.id ?? json?.model.vocab[padToken];
}
