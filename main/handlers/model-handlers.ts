import { isAbsolute, resolve } from 'node:path';
import type { SaveAdapter } from '../../contract/adapter-tools.ts';
import { ImpastoError } from '../../contract/errors.ts';
import { parseRequest } from '../../contract/parse.ts';
import { adapterFit } from '../../models/adapters/adapter-fit.ts';
import { inspectAdapter } from '../../models/adapters/inspect-adapter.ts';
import { describeFile } from '../../models/checkpoint/describe.ts';
import { openCheckpoint } from '../../models/checkpoint/open.ts';
import { presetFor } from '../engine/model/preset.ts';
import { suggestFromLibrary } from '../library/suggest-adapters.ts';
import type { HandlerContext } from './context.ts';
import type { HandlersOf } from './handlers.ts';
import { modelPath } from './model-path.ts';

export function modelHandlers({ library, adapterTools }: HandlerContext): HandlersOf<'models' | 'adapters'> {
  return {
    'models.list': (query) => library.models.list(query),
    'models.get': ({ path }) => library.models.get(resolve(path)),
    'models.add': ({ path }) => library.addModel(path),
    'models.inspect': ({ path, hash }) => describeFile(modelPath(path).path, { hash }),
    'models.preset': async ({ model }) => {
      const { path, note } = modelPath(model);
      const checkpoint = await openCheckpoint(path);
      const { request, reason } = await presetFor(checkpoint);
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
    'adapters.spectrum': (asked) => adapterTools.call('spectrum', asked),
    'adapters.intruders': (asked) => adapterTools.call('intruders', asked),
    'adapters.compare': (asked) => adapterTools.call('compare', asked),
    'adapters.truncate': (asked) => adapterTools.call('truncate', savedByWholePath(asked)),
    'adapters.calm': (asked) => adapterTools.call('calm', savedByWholePath(asked)),
    'adapters.merge': (asked) => adapterTools.call('merge', savedByWholePath(asked)),
    'adapters.convert': (asked) => adapterTools.call('convert', savedByWholePath(asked)),
  };
}

/**
 * What a window asks to be saved names its whole path: there is no folder that a relative one would start from.
 * @throws ImpastoError `PATH_ESCAPES`
 */
function savedByWholePath<Asked extends { save: SaveAdapter }>(asked: Asked): Asked {
  const { path } = asked.save;
  if (isAbsolute(path) && resolve(path) === path) return asked;
  throw new ImpastoError(
    'PATH_ESCAPES',
    `${JSON.stringify(path)} is not the whole path of a new file.`,
    'Give the whole path, without . or .. in it.',
  );
}
