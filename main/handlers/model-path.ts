import { resolve } from 'node:path';
import { builtinModel } from '../engine/model/builtin-model.ts';

/** The file or folder of a model as a request names it. */
export function modelPath(model: string): { path: string; note: string | null } {
  return model === 'demo' ? builtinModel() : { path: resolve(model), note: null };
}
