import { resolve } from 'node:path';
import type { HandlerContext } from './context.ts';
import type { HandlersOf } from './handlers.ts';

export function libraryHandlers({ library }: HandlerContext): HandlersOf<'library' | 'hub'> {
  const { downloads, hub } = library;
  return {
    'library.info': () => ({
      folders: library.folders(),
      own: { models: library.paths.models, pictures: library.paths.pictures },
      models: library.models.counts(),
      pictures: library.pictures.list({ limit: 1 }).total,
      progress: library.progress(),
      warnings: library.warnings,
    }),
    'library.addFolder': ({ kind, path }) => library.addFolder(kind, resolve(path)),
    'library.removeFolder': ({ kind, path }) => library.removeFolder(kind, resolve(path)),
    'library.scan': async () => ({ models: await library.scanModels(), pictures: await library.scanPictures() }),
    'library.rebuild': () => library.rebuild(),

    'hub.plan': ({ reference }) => hub.plan(reference),
    'hub.fetch': (asked) => downloads.fetch(asked),
    'hub.list': () => ({ downloads: downloads.list() }),
    'hub.stop': ({ id }) => downloads.stop(id),
    'hub.resume': ({ id }) => downloads.resume(id),
    'hub.discard': async ({ id }) => {
      await downloads.discard(id);
      return {};
    },
  };
}
