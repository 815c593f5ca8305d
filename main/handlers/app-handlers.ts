import type { HandlerContext } from './context.ts';
import type { HandlersOf } from './handlers.ts';

export function appHandlers({ version, paths, settings, warnings }: HandlerContext): HandlersOf<'app' | 'settings'> {
  return {
    'app.info': () => ({
      version,
      platform: process.platform,
      home: paths.home,
      pictures: paths.pictures,
      wildcards: paths.wildcards,
      warnings: [...warnings],
    }),
    'settings.get': () => settings.get(),
    'settings.set': (change) => settings.set(change),
  };
}
