import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ImpastoError } from '../../contract/errors.ts';
import type { PredictionType } from '../../contract/request.ts';
import { readError } from '../weights/file-errors.ts';
import { readSafetensorsHeader } from '../weights/safetensors.ts';
import type { Checkpoint, Family } from './checkpoint.ts';
import { surveyDiffusersFolder } from './folder/diffusers-folder.ts';
import { fileSize, listFolder } from './folder/folder-files.ts';
import { readModelIndex } from './folder/model-index.ts';
import { surveyVaeFolder } from './folder/vae-folder.ts';
import type { Hints } from './hints.ts';
import { isOnnxFolder, openOnnxVae, surveyOnnxFolder } from './onnx/onnx-folder.ts';
import { inferVaeConfig } from './single-file/infer-vae.ts';
import { refuseOtherKinds } from './single-file/recognise.ts';
import { surveySingleFile } from './single-file/single-file.ts';
import { fitVae, vaeOfFile } from './single-file/vae-part.ts';
import { Findings, type Survey, toCheckpoint } from './survey.ts';

export interface OpenOptions {
  /** Overrides what the files say or what could be told from them. */
  predictionType?: PredictionType | undefined;
  /** What tensors cannot tell, for a single file whose author knows better than the rules of `head-rules.ts`. */
  hints?: Hints | undefined;
  /** Of a diffusers folder: this variant's weights (`fp16`), rather than the plain ones where there are both. */
  variant?: string | undefined;
}

/**
 * Opens a checkpoint: a single .safetensors file in LDM / sgm names, a diffusers folder, or an ONNX folder. Reads
 * headers and configs only. What it is, is told by content, never by names of files.
 *
 * A checkpoint without a VAE opens with `vae.decoder` null: it draws with a VAE of its own (see {@link openVae}).
 * @throws ImpastoError with what is wrong: any of the file codes of `contract/errors.ts`.
 */
export async function openCheckpoint(path: string, options: OpenOptions = {}): Promise<Checkpoint> {
  return toCheckpoint(await surveyCheckpoint(path, options));
}

/** As {@link openCheckpoint}, but what is missing from a checkpoint is told rather than thrown. */
export async function surveyCheckpoint(path: string, options: OpenOptions = {}): Promise<Survey> {
  const absolute = resolve(path);
  if (!(await isFolder(absolute))) return surveySingleFile(absolute, options);
  const names = (await listFolder(absolute)) ?? [];
  const index = await readModelIndex(absolute);
  if (await isOnnxFolder(absolute)) return surveyOnnxFolder(absolute, index, options);
  if (index === null && !names.includes('unet')) throw notAModelFolder(absolute, names);
  return surveyDiffusersFolder(absolute, index, options);
}

/**
 * Opens a VAE alone: a .safetensors file in LDM or diffusers names (or the VAE of a whole checkpoint), a VAE's diffusers
 * folder, or the VAE of a model's folder.
 * @param family Decides the scaling factor where the VAE does not say: SD1's, SD2's and SDXL's VAEs look the same.
 * @throws ImpastoError `NOT_A_CHECKPOINT` where there is no VAE in it, or as {@link openCheckpoint}.
 */
export async function openVae(path: string, family: Family): Promise<Checkpoint['vae']> {
  const absolute = resolve(path);
  const findings = new Findings();
  const halves = (await isFolder(absolute))
    ? await vaeOfFolder(absolute, family, findings)
    : await vaeOfSingleFile(absolute, family, findings);
  if (findings.problems[0]) throw findings.problems[0];
  return halves;
}

async function vaeOfSingleFile(path: string, family: Family, findings: Findings): Promise<Checkpoint['vae']> {
  const header = await readSafetensorsHeader(path);
  const part = vaeOfFile(header, true);
  if (!part) {
    refuseOtherKinds([...header.tensors.keys()], header.path);
    throw new ImpastoError(
      'NOT_A_CHECKPOINT',
      `${header.path} has no VAE in it.`,
      'Choose a VAE, or a checkpoint with one.',
    );
  }
  return fitVae(part, inferVaeConfig(part, family), findings);
}

async function vaeOfFolder(folder: string, family: Family, findings: Findings): Promise<Checkpoint['vae']> {
  if (await isOnnxFolder(folder)) return openOnnxVae(folder, family);
  const names = (await listFolder(folder)) ?? [];
  const own = names.includes('model_index.json') || !names.includes('config.json') ? join(folder, 'vae') : folder;
  if ((await fileSize(join(own, 'config.json'))) === null) {
    throw new ImpastoError(
      'NOT_A_CHECKPOINT',
      `${folder} has no VAE in it.`,
      'Choose the folder that holds its config.json.',
    );
  }
  return (await surveyVaeFolder(own, family, findings)).halves;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (thrown) {
    throw readError(thrown, path);
  }
}

function notAModelFolder(folder: string, names: readonly string[]): ImpastoError {
  const file = names.find((name) => name.endsWith('.safetensors'));
  return new ImpastoError(
    'NOT_A_CHECKPOINT',
    `${folder} is not a model's folder: it has neither model_index.json nor unet.`,
    file
      ? `Open the file ${join(folder, file)} itself.`
      : 'Choose a diffusers folder, an ONNX folder or a .safetensors file.',
  );
}
