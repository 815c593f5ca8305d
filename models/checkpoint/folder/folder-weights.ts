import { join } from 'node:path';
import { z } from 'zod';
import { ImpastoError } from '../../../contract/errors.ts';
import { readSafetensorsHeader } from '../../weights/safetensors.ts';
import type { WeightRef } from '../../weights/weight-map.ts';
import { containedPath, fileSize, listFolder, readChecked } from './folder-files.ts';

/**
 * The weights of one component folder of a diffusers model: one file, or shards with an index, plain or of a variant
 * (`model.fp16.safetensors`).
 */

export interface FolderWeights {
  tensors: Map<string, WeightRef>;
  /** Bytes of all files. */
  fileSize: number;
  /** The variant chosen, e.g. `fp16`; '' for the plain one. */
  variant: string;
}

const Index = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

interface Candidate {
  file: string;
  variant: string;
  isIndex: boolean;
}

/** `base` is `diffusion_pytorch_model` or, for transformers' parts, `model`. */
function candidates(names: readonly string[], base: string): Candidate[] {
  const found: Candidate[] = [];
  for (const file of names) {
    if (!file.startsWith(base)) continue;
    const rest = file.slice(base.length);
    const single = /^(?:\.([\w-]+))?\.safetensors$/.exec(rest);
    if (single) found.push({ file, variant: single[1] ?? '', isIndex: false });
    const index = /^(?:\.([\w-]+))?\.safetensors\.index(?:\.([\w-]+))?\.json$/.exec(rest);
    if (index) found.push({ file, variant: index[1] ?? index[2] ?? '', isIndex: true });
  }
  return found;
}

/** Plain weights first, then half precision, then any other; never the training copy (`non_ema`). */
function preference({ variant, isIndex }: Candidate): number {
  const order = ['', 'fp16', 'bf16', 'fp32'];
  const rank = order.indexOf(variant);
  return (rank < 0 ? order.length : rank) * 2 + (isIndex ? 1 : 0);
}

/**
 * @param variant Takes this variant alone, e.g. `fp16`; omitted: see {@link preference}.
 * @throws ImpastoError `PART_MISSING` where there are no weights, `PICKLE_REFUSED` where there are only pickled ones,
 * `PATH_ESCAPES`, `TENSOR_MISSING` where a shard lacks what the index promises, or what the header reader says.
 */
export async function readFolderWeights(
  folder: string,
  part: string,
  base: string,
  variant?: string,
): Promise<FolderWeights> {
  const names = (await listFolder(folder)) ?? [];
  const found = candidates(names, base)
    .filter((candidate) => (variant === undefined ? candidate.variant !== 'non_ema' : candidate.variant === variant))
    .sort((a, b) => preference(a) - preference(b));
  const chosen = found[0];
  if (!chosen) throw noWeights(folder, part, names, base, variant);
  if (chosen.isIndex) return { ...(await readShards(folder, chosen.file)), variant: chosen.variant };
  const header = await readSafetensorsHeader(join(folder, chosen.file));
  return { tensors: new Map(header.tensors), fileSize: header.fileSize, variant: chosen.variant };
}

async function readShards(folder: string, indexName: string): Promise<Omit<FolderWeights, 'variant'>> {
  const indexPath = join(folder, indexName);
  const index = await readChecked(indexPath, Index);
  const byShard = Map.groupBy(Object.entries(index?.weight_map ?? {}), ([, shard]) => shard);
  const tensors = new Map<string, WeightRef>();
  let total = 0;
  for (const [shard, entries] of byShard) {
    const path = containedPath(folder, shard, indexPath);
    if ((await fileSize(path)) === null) {
      throw new ImpastoError(
        'PART_MISSING',
        `${indexPath} names the shard ${shard}, which is not there.`,
        'The download did not finish: get the missing file.',
      );
    }
    const header = await readSafetensorsHeader(path);
    total += header.fileSize;
    for (const [name] of entries) {
      const ref = header.tensors.get(name);
      if (!ref) {
        throw new ImpastoError(
          'TENSOR_MISSING',
          `${path} lacks '${name}', which ${indexPath} says it holds.`,
          'Index and shards are of different downloads: get the folder again.',
        );
      }
      tensors.set(name, ref);
    }
  }
  return { tensors, fileSize: total };
}

function noWeights(folder: string, part: string, names: string[], base: string, variant?: string): ImpastoError {
  if (variant !== undefined) {
    return new ImpastoError('PART_MISSING', `${folder} has no '${variant}' weights.`, 'Choose another variant.');
  }
  if (names.some((name) => /\.(?:bin|ckpt|pt|pth)$/.test(name))) {
    return new ImpastoError(
      'PICKLE_REFUSED',
      `${folder} holds the ${part} only as a pickle (.bin): opening one runs whatever code its author put in.`,
      'Get the .safetensors files of the same model. Impasto never unpickles.',
    );
  }
  const shard = names.find((name) => name.startsWith(base) && /-\d{5}-of-\d{5}/.test(name));
  return new ImpastoError(
    'PART_MISSING',
    shard
      ? `${folder} holds shards (${shard}) but no index that says what is in them.`
      : `${folder} has no weights for the ${part}.`,
    'The download did not finish: get the missing files.',
  );
}
