import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ImpastoError } from '../../../contract/errors.ts';
import { type LoraNames, loraFile, loraNames, type NamedFile } from './lora-names.ts';
import type { LoraResolver } from './prompt-tags.ts';

/** Folders below folders that are looked through. */
const depth = 6;

/** Finds adapters by name in folders and the folders in them, which are read when the first name is asked for. */
export function loraFolders(folders: readonly string[]): LoraResolver {
  let listing: Promise<LoraNames> | null = null;
  return async (name) => {
    listing ??= list(folders);
    return loraFile(await listing, name, folders);
  };
}

async function list(folders: readonly string[]): Promise<LoraNames> {
  const files: NamedFile[] = [];
  const walk = async (root: string, folder: string, left: number): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = resolve(folder, entry.name);
      if (entry.isDirectory() && left > 0) await walk(root, path, left - 1);
      else if (entry.isFile() && /\.safetensors$/i.test(entry.name)) files.push({ path, root });
    }
  };
  for (const folder of folders) {
    const root = resolve(folder);
    try {
      await walk(root, root, depth);
    } catch (cause) {
      throw new ImpastoError('FILE_NOT_FOUND', `The folder ${root} cannot be read.`, 'Give a folder of LoRAs.', {
        cause,
      });
    }
  }
  return loraNames(files);
}
