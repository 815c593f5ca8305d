import { z } from 'zod';
import { ImpastoError } from '../../../contract/errors.ts';
import type { TextEncoderConfig } from '../component-config.ts';
import { unknownArchitecture } from '../family.ts';
import { parseTextConfig } from './diffusers-config.ts';
import { readChecked, readJson } from './folder-files.ts';

/** Configs of a folder's components, where they must be there. */

const ClassName = z.looseObject({ _class_name: z.string().optional() });

/**
 * A diffusers component's config, as JSON.
 * @throws ImpastoError `PART_MISSING`, `CONFIG_INVALID`, or `UNKNOWN_ARCHITECTURE` where it is of another class.
 */
export async function requireConfig(path: string, part: string, classes: readonly string[]): Promise<unknown> {
  const json = await readChecked(path, ClassName);
  if (json === null) throw missingConfig(path, part);
  if (json._class_name !== undefined && !classes.includes(json._class_name)) {
    throw unknownArchitecture(`${path}: the ${part} is a ${json._class_name}, not a ${classes.join(' or ')}`);
  }
  return json;
}

/** A text encoder's config. Throws as {@link requireConfig}. */
export async function requireTextConfig(
  path: string,
  part: string,
  hasProjection: boolean,
): Promise<TextEncoderConfig> {
  const json = await readJson(path);
  if (json === null) throw missingConfig(path, part);
  return parseTextConfig(json, path, hasProjection);
}

function missingConfig(path: string, part: string): ImpastoError {
  return new ImpastoError(
    'PART_MISSING',
    `${path} is missing: the ${part} has no config.`,
    'Download the missing files.',
  );
}
