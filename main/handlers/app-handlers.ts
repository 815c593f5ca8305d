import type { HandlerContext } from './context.ts';
import type { HandlersOf } from './handlers.ts';
import { outputFolder } from './output-folder.ts';

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
    'settings.set': ({ output, exports, ...change }) =>
      settings.set({
        ...change,
        ...(output && { output: outputFolder(output, paths.pictures) }),
        ...(exports && {
          exports: exports.map((each) => ({ ...each, output: outputFolder(each.output, paths.pictures) })),
        }),
      }),
  };
}
