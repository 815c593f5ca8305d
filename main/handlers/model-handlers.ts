import { resolve } from 'node:path';
import { ImpastoError } from '../../contract/errors.ts';
import { parseRequest } from '../../contract/parse.ts';
import { inspectAdapter } from '../../models/adapters/inspect-adapter.ts';
import type { TokenizerSource } from '../../models/checkpoint/checkpoint.ts';
import { describeFile } from '../../models/checkpoint/describe.ts';
import { openCheckpoint } from '../../models/checkpoint/open.ts';
import { builtinModel } from '../engine/model/builtin-model.ts';
import { presetFor } from '../engine/model/preset.ts';
import { ClipTokenizer } from '../engine/text/clip-tokenizer.ts';
import { countTokens } from '../engine/text/token-count.ts';
import type { HandlersOf } from './handlers.ts';

export function modelHandlers(): HandlersOf<'models' | 'adapters' | 'prompt'> {
  return {
    'models.inspect': ({ path, hash }) => describeFile(modelPath(path).path, { hash }),
    'adapters.inspect': ({ path }) => inspectAdapter(resolve(path)),
    'models.preset': async ({ model }) => {
      const { path, note } = modelPath(model);
      const checkpoint = await openCheckpoint(path);
      const { request, reason } = presetFor(checkpoint);
      return {
        request: parseRequest({ ...request, model }),
        reason,
        notes: note === null ? checkpoint.notes : [note, ...checkpoint.notes],
      };
    },
    'prompt.count': async ({ model, prompt, steps }) => {
      const { textEncoder, textEncoder2, name } = await openCheckpoint(modelPath(model).path);
      const encoder = textEncoder ?? textEncoder2;
      if (!encoder) throw new ImpastoError('PART_MISSING', `${name} has no text encoder.`, 'Choose another model.');
      const { maxLength, padTokenId } = encoder.tokenizer;
      return countTokens(prompt, tokenizerOf(encoder.tokenizer), { maxLength, padTokenId, steps });
    },
  };
}

function modelPath(model: string): { path: string; note: string | null } {
  return model === 'demo' ? builtinModel() : { path: resolve(model), note: null };
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
