import { basename, join, resolve } from 'node:path';
import { ImpastoError } from '../../../contract/errors.ts';
import type { Checkpoint, Family, ImportedPart, TextEncoderPart } from '../checkpoint.ts';
import type { UNetConfig, VaeConfig } from '../component-config.ts';
import { familyOf, fitTogether, textEncodersOf, trainedSampleSize, variantOf } from '../family.ts';
import { parseTextConfig, parseUNetConfig, parseVaeConfig } from '../folder/diffusers-config.ts';
import { fileSize, readJson } from '../folder/folder-files.ts';
import { folderScheduler } from '../folder/folder-scheduler.ts';
import type { ModelIndex } from '../folder/model-index.ts';
import { standardPadding } from '../folder/padding.ts';
import { findTokenizer } from '../folder/tokenizer-source.ts';
import type { OpenOptions } from '../open.ts';
import { scalingFactors } from '../single-file/infer-vae.ts';
import { attempt, Findings, type PartName, type Survey } from '../survey.ts';
import { onnxDataFiles } from './onnx-data-files.ts';
import { type OnnxHeader, readOnnxHeader } from './onnx-header.ts';
import { textConfigFromOnnx, unetConfigFromOnnx, vaeConfigFromOnnx } from './onnx-infer.ts';

/** A checkpoint exported to ONNX, in Optimum's or diffusers' layout: `<part>/model.onnx`, run as it is. */

interface OnnxFile {
  path: string;
  header: OnnxHeader;
}

/** Whether a folder holds ONNX parts rather than weights. */
export async function isOnnxFolder(folder: string): Promise<boolean> {
  for (const part of ['unet', 'vae_decoder', 'text_encoder']) {
    if ((await fileSize(join(folder, part, 'model.onnx'))) !== null) return true;
  }
  return false;
}

/**
 * @throws ImpastoError `PART_MISSING` where there is no UNet; what else is wrong is in the survey's `problems`.
 */
export async function surveyOnnxFolder(path: string, index: ModelIndex | null, options: OpenOptions): Promise<Survey> {
  const folder = resolve(path);
  const findings = new Findings();
  const files = { tensors: 0, bytes: 0 };
  const open = async (part: string, title: string, name: PartName): Promise<OnnxFile> => {
    const file = await openPart(join(folder, part), title);
    const { initializers } = file.header;
    files.tensors += initializers.length;
    files.bytes += file.header.fileSize;
    for (const external of file.header.externalFiles)
      files.bytes += (await fileSize(join(folder, part, external))) ?? 0;
    findings.count(
      name,
      initializers.filter(({ dtype }) => /^B?F/.test(dtype)).map((tensor) => [tensor.name, tensor]),
    );
    return file;
  };

  const unetFile = await open('unet', 'UNet', 'unet');
  const unet = await unetConfig(folder, unetFile.header);
  const family = familyOf(unet);
  const { scheduler, from, note } = await folderScheduler(folder, family, options.predictionType);
  if (note) findings.notes.push(note);
  unet.sampleSize ||= trainedSampleSize(family, scheduler.predictionType);

  const decoder = await attempt(findings, 'VAE decoder', () => open('vae_decoder', 'VAE decoder', 'vaeDecoder'));
  const wantsEncoder = index === null ? await isThere(folder, 'vae_encoder') : index.components.has('vae_encoder');
  const encoder = wantsEncoder
    ? await attempt(findings, 'VAE encoder', () => open('vae_encoder', 'VAE encoder', 'vaeEncoder'))
    : null;
  if (!wantsEncoder) {
    findings.missing.push('VAE encoder');
    findings.notes.push('The folder has no VAE encoder: it can draw, but not start from a picture.');
  }
  const vae = decoder && (await importedVae(folder, family, decoder, encoder));

  const texts: TextEncoderPart[] = [];
  for (let i = 0; i < textEncodersOf(family); i++) {
    const title = i === 0 ? 'text encoder' : 'second text encoder';
    const part = i === 0 ? 'text_encoder' : 'text_encoder_2';
    const text = await attempt(findings, title, async () => {
      const file = await open(part, title, i === 0 ? 'textEncoder' : 'textEncoder2');
      return textPart(folder, part, i, family, file, findings);
    });
    if (text) texts.push(text);
  }
  const configs = texts.map(({ part }) => part.config);
  findings.problems.push(...fitTogether(folder, family, unet, vae?.decoder?.config.latentChannels ?? null, configs));
  return {
    path: folder,
    name: basename(folder),
    layout: 'onnx',
    family,
    variant: variantOf(unet, scheduler),
    parameters: findings.parameters,
    dtype: findings.dtype,
    predictionType: scheduler.predictionType,
    predictionTypeFrom: from,
    unet: { source: 'onnx', path: unetFile.path, config: unet },
    vae: vae ?? { encoder: null, decoder: null },
    textEncoder: texts[0] ?? null,
    textEncoder2: texts[1] ?? null,
    scheduler,
    hiddenStateFromEnd: family === 'sdxl' ? 2 : 1,
    finalNorm: family !== 'sdxl',
    zeroEmptyNegative: family === 'sdxl' && (index?.forceZeros ?? true),
    notes: findings.notes,
    missing: findings.missing,
    problems: findings.problems,
    tensors: files.tensors,
    fileSize: files.bytes,
  };
}

/** The VAE of an ONNX folder alone. */
export async function openOnnxVae(folder: string, family: Family): Promise<Checkpoint['vae']> {
  const decoder = await openPart(join(folder, 'vae_decoder'), 'VAE decoder');
  const encoder = (await isThere(folder, 'vae_encoder'))
    ? await openPart(join(folder, 'vae_encoder'), 'VAE encoder')
    : null;
  return importedVae(folder, family, decoder, encoder);
}

async function isThere(folder: string, part: string): Promise<boolean> {
  return (await fileSize(join(folder, part, 'model.onnx'))) !== null;
}

/** @throws ImpastoError `PART_MISSING` where model or data are not there, `PATH_ESCAPES`, or `HEADER_INVALID`. */
async function openPart(folder: string, title: string): Promise<OnnxFile> {
  const path = join(folder, 'model.onnx');
  if ((await fileSize(path)) === null) {
    throw new ImpastoError(
      'PART_MISSING',
      `${path} is missing: the ${title} is not there.`,
      'The download or export did not finish: get the missing files.',
    );
  }
  const header = readOnnxHeader(path);
  await onnxDataFiles(path, header, title);
  return { path, header };
}

async function unetConfig(folder: string, header: OnnxHeader): Promise<UNetConfig> {
  const path = join(folder, 'unet', 'config.json');
  const json = await readJson(path);
  return json === null ? unetConfigFromOnnx(header) : parseUNetConfig(json, path);
}

async function importedVae(
  folder: string,
  family: Family,
  decoder: OnnxFile,
  encoder: OnnxFile | null,
): Promise<{ encoder: ImportedPart<VaeConfig> | null; decoder: ImportedPart<VaeConfig> }> {
  const config = await vaeConfig(folder, family, decoder.header);
  return {
    encoder: encoder && { source: 'onnx', path: encoder.path, config },
    decoder: { source: 'onnx', path: decoder.path, config },
  };
}

async function vaeConfig(folder: string, family: Family, header: OnnxHeader): Promise<VaeConfig> {
  for (const part of ['vae_decoder', 'vae_encoder', 'vae']) {
    const path = join(folder, part, 'config.json');
    const json = await readJson(path);
    if (json !== null) return parseVaeConfig(json, path, scalingFactors[family]);
  }
  return vaeConfigFromOnnx(header, family);
}

async function textPart(
  folder: string,
  part: string,
  i: number,
  family: Family,
  file: OnnxFile,
  findings: Findings,
): Promise<TextEncoderPart> {
  const path = join(folder, part, 'config.json');
  const json = await readJson(path);
  const hasProjection = file.header.outputs.some(({ name }) => name === 'text_embeds');
  const config =
    json === null ? textConfigFromOnnx(file.header, family, i) : parseTextConfig(json, path, hasProjection);
  const tokenizerFolder = join(folder, i === 0 ? 'tokenizer' : 'tokenizer_2');
  const { tokenizer, note } = await findTokenizer(tokenizerFolder, config, standardPadding(family, i));
  if (note) findings.notes.push(note);
  return { part: { source: 'onnx', path: file.path, config }, tokenizer };
}
