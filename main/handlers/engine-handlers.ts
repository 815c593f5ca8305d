import type { HandlerContext } from './context.ts';
import type { HandlersOf } from './handlers.ts';

export function engineHandlers({ engine }: HandlerContext): HandlersOf<'engine'> {
  return {
    'engine.devices': () => engine.devices(),
    'engine.memory': () => engine.memory(),
    'engine.estimate': (asked) => engine.estimate(asked),
    'engine.release': async () => {
      await engine.release();
      return {};
    },
  };
}
