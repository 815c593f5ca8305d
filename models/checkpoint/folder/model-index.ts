import { join } from 'node:path';
import { z } from 'zod';
import { containedPath, readChecked } from './folder-files.ts';

/** `model_index.json`: which components a diffusers or Optimum folder has, and of which class. */

const ModelIndexJson = z.looseObject({
  _class_name: z.union([z.string(), z.array(z.string())]).optional(),
  force_zeros_for_empty_prompt: z.boolean().optional(),
  requires_aesthetics_score: z.boolean().optional(),
});

export interface ModelIndex {
  path: string;
  /** The pipeline's class, null where there is no index. */
  className: string | null;
  /** Class of each component; null where it is said to be absent (`[null, null]`). */
  components: Map<string, string | null>;
  forceZeros: boolean;
  /** The SDXL refiner's mark. */
  aestheticsScore: boolean;
}

/**
 * @returns null where the folder has no index.
 * @throws ImpastoError `CONFIG_INVALID`, or `PATH_ESCAPES` where a component's name leads out of the folder.
 */
export async function readModelIndex(folder: string): Promise<ModelIndex | null> {
  const path = join(folder, 'model_index.json');
  const json = await readChecked(path, ModelIndexJson);
  if (json === null) return null;
  const components = new Map<string, string | null>();
  for (const [name, value] of Object.entries(json)) {
    if (!Array.isArray(value) || name === '_class_name') continue;
    containedPath(folder, name, path);
    const className: unknown = value[1];
    components.set(name, typeof className === 'string' ? className : null);
  }
  return {
    path,
    className: Array.isArray(json._class_name) ? (json._class_name[1] ?? null) : (json._class_name ?? null),
    components,
    forceZeros: json.force_zeros_for_empty_prompt ?? true,
    aestheticsScore: json.requires_aesthetics_score ?? false,
  };
}

/** Is a component part of the model: the index names its class, or there is no index. */
export function hasComponent(index: ModelIndex | null, name: string): boolean {
  return index === null || (index.components.get(name) ?? null) !== null;
}
