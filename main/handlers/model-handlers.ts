import { resolve } from 'node:path';
import { parseRequest } from '../../contract/parse.ts';
import { adapterFit } from '../../models/adapters/adapter-fit.ts';
import { inspectAdapter } from '../../models/adapters/inspect-adapter.ts';
import { describeFile } from '../../models/checkpoint/describe.ts';
import { openCheckpoint } from '../../models/checkpoint/open.ts';
import { builtinModel } from '../engine/model/builtin-model.ts';
import { presetFor } from '../engine/model/preset.ts';
import { suggestFromLibrary } from '../library/suggest-adapters.ts';
import type { HandlerContext } from './context.ts';
import type { HandlersOf } from './handlers.ts';

export function modelHandlers({ library }: HandlerContext): HandlersOf<'models' | 'adapters'> {
  return {
    'models.list': (query) => library.models.list(query),
    'models.get': ({ path }) => library.models.get(resolve(path)),
    'models.add': ({ path }) => library.addModel(path),
    'models.inspect': ({ path, hash }) => describeFile(modelPath(path).path, { hash }),
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
    'adapters.inspect': ({ path }) => inspectAdapter(resolve(path)),
    'adapters.fit': async ({ path, model }) => adapterFit(resolve(path), await openCheckpoint(modelPath(model).path)),
    'adapters.suggest': async ({ prompt, family, limit }) =>
      (await suggestFromLibrary(library.models, prompt, family)).slice(0, limit),
  };
}

/** The file or folder of a model as a request names it. */
export function modelPath(model: string): { path: string; note: string | null } {
  return model === 'demo' ? builtinModel() : { path: resolve(model), note: null };
}
