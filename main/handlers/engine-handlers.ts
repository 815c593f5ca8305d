import { openCheckpoint } from '../../models/checkpoint/open.ts';
import type { HandlerContext } from './context.ts';
import type { HandlersOf } from './handlers.ts';
import { modelPath } from './model-path.ts';

export function engineHandlers({ engine }: HandlerContext): HandlersOf<'engine'> {
  return {
    'engine.devices': () => engine.devices(),
    'engine.memory': () => engine.memory(),
    'engine.estimate': async (asked) => {
      // What is no model is told here: it starts no engine.
      await openCheckpoint(modelPath(asked.model).path);
      return engine.estimate(asked);
    },
    'engine.release': async () => {
      await engine.release();
      return {};
    },
  };
}
