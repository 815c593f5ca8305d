import { basename, join, resolve } from 'node:path';
import { ImpastoError } from '../../../contract/errors.ts';
import type { WeightMap, WeightRef } from '../../weights/weight-map.ts';
import type { Checkpoint, Family, TextEncoderPart } from '../checkpoint.ts';
import { transformersText } from '../clip-names.ts';
import type { UNetConfig } from '../component-config.ts';
import { familyOf, fitTogether, textEncodersOf, trainedSampleSize, unknownArchitecture, variantOf } from '../family.ts';
import { textEncoderTensors, unetTensors } from '../module-names.ts';
import type { OpenOptions } from '../open.ts';
import type { PartWeights } from '../part-weights.ts';
import { attempt, Findings, type Survey } from '../survey.ts';
import { parseUNetConfig } from './diffusers-config.ts';
import { requireConfig, requireTextConfig } from './folder-config.ts';
import { folderScheduler } from './folder-scheduler.ts';
import { readFolderWeights } from './folder-weights.ts';
import { hasComponent, type ModelIndex } from './model-index.ts';
import { standardPadding } from './padding.ts';
import { findTokenizer } from './tokenizer-source.ts';
import { surveyVaeFolder } from './vae-folder.ts';

/** A checkpoint as a diffusers folder. */

/**
 * @param index Its `model_index.json`; null where there is none and the conventional names serve.
 * @throws ImpastoError Where the folder is no Stable Diffusion model or its UNet's config does not tell its sizes; what
 * else is wrong is in the survey's `problems`.
 */
export async function surveyDiffusersFolder(
  path: string,
  index: ModelIndex | null,
  options: OpenOptions,
): Promise<Survey> {
  const folder = resolve(path);
  refuseOtherPipelines(folder, index);
  const findings = new Findings();
  const unet = await readUNetConfig(folder);
  const family = familyOf(unet);
  if (index?.aestheticsScore) {
    throw unknownArchitecture(`${folder} is an SDXL refiner; Impasto draws with the base model alone`);
  }
  const { scheduler, from, note } = await folderScheduler(folder, family, options.predictionType);
  if (note) findings.notes.push(note);
  unet.sampleSize ||= trainedSampleSize(family, scheduler.predictionType);

  const files: FileCount = { tensors: 0, bytes: 0 };
  const unetWeights = await attempt(findings, 'UNet', () => readUNet(folder, unet, options, findings, files));
  const texts: TextEncoderPart[] = [];
  for (let i = 0; i < textEncodersOf(family); i++) {
    const text = await attempt(findings, textNames[i] ?? '', () =>
      readText(folder, index, i, family, options, findings, files),
    );
    if (text) texts.push(text);
  }
  const vae = await attempt(findings, 'VAE', () => readVae(folder, index, family, options, findings, files));
  const configs = texts.map(({ part }) => part.config);
  findings.problems.push(...fitTogether(folder, family, unet, vae?.decoder?.config.latentChannels ?? null, configs));
  return {
    path: folder,
    name: basename(folder),
    layout: 'diffusers',
    family,
    variant: variantOf(unet, scheduler),
    parameters: findings.parameters,
    dtype: findings.dtype,
    predictionType: scheduler.predictionType,
    predictionTypeFrom: from,
    unet: unetWeights && { source: 'weights', config: unet, weights: unetWeights },
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

const textNames = ['text encoder', 'second text encoder'];

interface FileCount {
  tensors: number;
  bytes: number;
}

function refuseOtherPipelines(folder: string, index: ModelIndex | null): void {
  const unet = index?.components.get('unet');
  if (index === null || unet === 'UNet2DConditionModel') return;
  const is = index.className ?? 'a pipeline of an unknown class';
  const instead = [...index.components].find(([name]) => /^(?:transformer|unet|prior|decoder)$/.test(name));
  throw unknownArchitecture(
    `${folder} is ${is}${instead ? `, with ${instead[1]} as its ${instead[0]}` : ', without a UNet'}`,
  );
}

async function readUNetConfig(folder: string): Promise<UNetConfig> {
  const path = join(folder, 'unet', 'config.json');
  const json = await requireConfig(path, 'UNet', ['UNet2DConditionModel']);
  return parseUNetConfig(json, path);
}

async function readUNet(
  folder: string,
  config: UNetConfig,
  options: OpenOptions,
  findings: Findings,
  files: FileCount,
): Promise<WeightMap> {
  const part = join(folder, 'unet');
  const found = await readFolderWeights(part, 'UNet', 'diffusion_pytorch_model', options.variant);
  count(files, found);
  const weights = plainPart('UNet', part, found.tensors);
  const shapes = unetTensors(config);
  const fitted = findings.fit('unet', weights, shapes);
  findings.noteUnused(weights, shapes);
  return fitted;
}

async function readText(
  folder: string,
  index: ModelIndex | null,
  i: number,
  family: Family,
  options: OpenOptions,
  findings: Findings,
  files: FileCount,
): Promise<TextEncoderPart> {
  const suffix = i === 0 ? '' : '_2';
  const name = textNames[i] ?? '';
  const component = `text_encoder${suffix}`;
  if (!hasComponent(index, component)) {
    throw new ImpastoError('PART_MISSING', `${folder} has no ${name}.`, 'Choose a full checkpoint.');
  }
  const className = index?.components.get(component);
  if (className && className !== 'CLIPTextModel' && className !== 'CLIPTextModelWithProjection') {
    throw unknownArchitecture(`${folder}: the ${name} is a ${className}, not a CLIPTextModel`);
  }
  const part = join(folder, component);
  const found = await readFolderWeights(part, name, 'model', options.variant);
  count(files, found);
  const weights = plainPart(name, part, transformersText(found.tensors));
  const config = await requireTextConfig(
    join(part, 'config.json'),
    name,
    weights.weights.has('text_projection.weight'),
  );
  const fitted = findings.fit(i === 0 ? 'textEncoder' : 'textEncoder2', weights, textEncoderTensors(config));
  const { tokenizer, note } = await findTokenizer(
    join(folder, `tokenizer${suffix}`),
    config,
    standardPadding(family, i),
  );
  if (note) findings.notes.push(note);
  return { part: { source: 'weights', config, weights: fitted }, tokenizer };
}

async function readVae(
  folder: string,
  index: ModelIndex | null,
  family: Family,
  options: OpenOptions,
  findings: Findings,
  files: FileCount,
): Promise<Checkpoint['vae']> {
  if (!hasComponent(index, 'vae')) {
    findings.missing.push('VAE');
    return { encoder: null, decoder: null };
  }
  const { halves, weights } = await surveyVaeFolder(join(folder, 'vae'), family, findings, options.variant);
  count(files, weights);
  return halves;
}

function plainPart(part: string, source: string, weights: WeightMap): PartWeights {
  return { part, source, weights, nameInFile: (name) => name };
}

function count(files: FileCount, found: { tensors: ReadonlyMap<string, WeightRef>; fileSize: number }): void {
  files.tensors += found.tensors.size;
  files.bytes += found.fileSize;
}
