import { basename, extname } from 'node:path';
import { ImpastoError } from '../../contract/errors.ts';
import type { PredictionType } from '../../contract/request.ts';
import { readSafetensorsHeader, type SafetensorsHeader } from '../weights/safetensors.ts';
import type { WeightMap, WeightRef } from '../weights/weight-map.ts';
import type { Family, TextEncoderPart } from './checkpoint.ts';
import { openClipName, openClipText, transformersText } from './clip-names.ts';
import type { TextEncoderConfig, UNetConfig } from './component-config.ts';
import { familyOf, familyTitles, fitTogether, trainedSampleSize, variantOf } from './family.ts';
import { type Hints, mergeHints } from './hints.ts';
import { clipVocabularySize, inferTextEncoderConfig } from './infer-text.ts';
import { additionTimeDim, inferUNetConfig } from './infer-unet.ts';
import { ldmUNetLayout, ldmUNetNaming } from './ldm-unet-names.ts';
import { fitWeights } from './missing.ts';
import { textEncoderTensors, unetTensors } from './module-names.ts';
import type { PartWeights } from './part-weights.ts';
import { findPredictionType } from './prediction-type.ts';
import { refuseOtherKinds } from './recognise.ts';
import { familySchedulerConfig } from './scheduler-config.ts';
import { mainDtype, parameterCount, type Survey } from './survey.ts';
import { ldmVaePart, surveyVae } from './vae-part.ts';

/**
 * A checkpoint in one .safetensors file, in LDM / sgm names.
 */

const unetPrefix = 'model.diffusion_model.';
const openAiPrefixes = ['cond_stage_model.transformer.', 'conditioner.embedders.0.transformer.'];
/** SD2's, SD2's as sgm writes it (or the SDXL refiner's), SDXL's second. */
const openClipPrefixes = ['cond_stage_model.model.', 'conditioner.embedders.0.model.', 'conditioner.embedders.1.model.'];

export interface SingleFileOptions {
  predictionType?: PredictionType;
  hints?: Hints;
}

/** @throws ImpastoError Where the file is no checkpoint at all; what is wrong with one is in `problems`. */
export async function surveySingleFile(path: string, options: SingleFileOptions = {}): Promise<Survey> {
  const header = await readSafetensorsHeader(path);
  const names = [...header.tensors.keys()];
  refuseOtherKinds(names, header.path);
  const hints = mergeHints(header.metadata, options.hints, header.path);
  const notes: string[] = [];
  const problems: ImpastoError[] = [];
  const missing: string[] = [];
  const maps: WeightMap[] = [];
  const parameters: Record<string, number> = {};
  const keep = (part: string, weights: WeightMap): WeightMap => {
    maps.push(weights);
    parameters[part] = parameterCount(weights);
    return weights;
  };

  const unetPart = ldmUNetPart(header);
  const unetConfig = inferUNetConfig(unetPart, hints.unet);
  const family = familyOf(unetConfig);
  const texts = textParts(header);
  refuseRelatives(header.path, family, unetConfig, texts);

  const textEncoders = texts.map((text, index) => {
    const config = inferTextEncoderConfig(text.part, text.kind, index === 0 ? hints.textEncoder : hints.textEncoder2);
    const fitted = fitWeights(text.part, textEncoderTensors(config));
    problems.push(...fitted.problems);
    missing.push(...fitted.missing);
    const weights = keep(index === 0 ? 'textEncoder' : 'textEncoder2', fitted.weights);
    return { text, part: textEncoderPart(config, weights) };
  });
  if (unetConfig.addition) completeAddition(unetPart, unetConfig, textEncoders.at(-1)?.part.part.config);

  const prediction = options.predictionType
    ? { predictionType: options.predictionType, from: 'setting' as const, zeroSnr: header.tensors.has('ztsnr'), note: null }
    : await findPredictionType(family, unetConfig, header.metadata, header.tensors, unetPart.weights);
  if (prediction.note) notes.push(prediction.note);
  unetConfig.sampleSize ||= sampleSizeFrom(header.metadata) ?? trainedSampleSize(family, prediction.predictionType);
  const fittedUNet = fitWeights(unetPart, unetTensors(unetConfig));
  problems.unshift(...fittedUNet.problems);
  missing.unshift(...fittedUNet.missing);
  noteUnused(notes, 'UNet', fittedUNet.unused);
  const unetWeights = keep('unet', fittedUNet.weights);

  const vaePart = ldmVaePart(header);
  const vae = vaePart ? surveyVae(vaePart, family, hints.vae) : null;
  if (vae) {
    problems.push(...vae.problems);
    missing.push(...vae.missing);
    notes.push(...vae.notes);
    if (vae.encoder?.source === 'weights') keep('vaeEncoder', vae.encoder.weights);
    if (vae.decoder?.source === 'weights') keep('vaeDecoder', vae.decoder.weights);
  } else {
    missing.push('VAE');
    problems.push(partMissing(header.path, 'VAE', "Name a VAE of its own in the request, or choose a file with the VAE baked in."));
  }
  const expectedTexts = family === 'sdxl' ? 2 : 1;
  if (textEncoders.length < expectedTexts) {
    const which = family === 'sdxl' && textEncoders[0]?.text.kind === 'openai' ? 'second text encoder' : 'text encoder';
    missing.push(which);
    problems.push(partMissing(header.path, which, 'Choose a full checkpoint.'));
  }
  const configs = textEncoders.map(({ part }) => part.part.config);
  if (textEncoders.length === expectedTexts) {
    problems.push(...fitTogether(header.path, unetConfig, vae?.config.latentChannels ?? null, configs));
  }
  noteFile(notes, header, configs);

  const scheduler = familySchedulerConfig(family, prediction.predictionType, prediction.zeroSnr);
  return {
    path: header.path,
    name: basename(header.path, extname(header.path)),
    layout: 'single-file',
    family,
    variant: variantOf(unetConfig, vae?.config.latentChannels ?? unetConfig.outChannels, scheduler),
    unet: { source: 'weights', config: unetConfig, weights: unetWeights },
    vaeEncoder: vae?.encoder ?? null,
    vaeDecoder: vae?.decoder ?? null,
    textEncoder: textEncoders[0]?.part ?? null,
    textEncoder2: textEncoders[1]?.part ?? null,
    parameters,
    dtype: mainDtype(maps),
    predictionType: prediction.predictionType,
    predictionTypeFrom: prediction.from,
    scheduler,
    hiddenStateFromEnd: hints.hiddenStateFromEnd ?? hiddenStateFromEnd(family, texts[0], configs[0]),
    finalNorm: family !== 'sdxl',
    zeroEmptyNegative: family === 'sdxl',
    notes,
    missing,
    problems,
    tensors: header.tensors.size,
    fileSize: header.fileSize,
  };
}

/** Tensors under a prefix, less the prefix. */
export function under(header: SafetensorsHeader, prefix: string): Map<string, WeightRef> {
  const found = new Map<string, WeightRef>();
  for (const [name, ref] of header.tensors) if (name.startsWith(prefix)) found.set(name.slice(prefix.length), ref);
  return found;
}

function ldmUNetPart(header: SafetensorsHeader): PartWeights {
  const ldm = under(header, unetPrefix);
  const naming = ldmUNetNaming(ldmUNetLayout(ldm.keys()));
  const weights = new Map<string, WeightRef>();
  // A name without a place in the layout keeps its own, and is told as unused.
  for (const [name, ref] of ldm) weights.set(naming.toDiffusers(name) ?? name, ref);
  return {
    part: 'UNet',
    source: header.path,
    weights,
    nameInFile: (name) => unetPrefix + (naming.toLdm(name) ?? name),
  };
}

interface TextFinding {
  kind: 'openai' | 'openclip';
  prefix: string;
  part: PartWeights;
}

/** The text encoders in the order in which the family concatenates them. */
function textParts(header: SafetensorsHeader): TextFinding[] {
  const found: TextFinding[] = [];
  for (const prefix of openAiPrefixes) {
    const weights = transformersText(under(header, prefix));
    if (weights.size === 0) continue;
    found.push({ kind: 'openai', prefix, part: textPart(header, found.length, weights, (name) => prefix + name) });
  }
  for (const prefix of openClipPrefixes) {
    const { weights } = openClipText(under(header, prefix));
    if (weights.size === 0) continue;
    const part = textPart(header, found.length, weights, (name) => prefix + openClipName(name));
    found.push({ kind: 'openclip', prefix, part });
  }
  return found;
}

function textPart(
  header: SafetensorsHeader,
  index: number,
  weights: WeightMap,
  nameInFile: (name: string) => string,
): PartWeights {
  return { part: index === 0 ? 'text encoder' : 'second text encoder', source: header.path, weights, nameInFile };
}

function textEncoderPart(config: TextEncoderConfig, weights: WeightMap): TextEncoderPart {
  return {
    part: { source: 'weights', config, weights },
    tokenizer: { folder: null, padTokenId: config.padTokenId, maxLength: config.maxPositions },
  };
}

/** Models of the same building blocks that are another pipeline. */
function refuseRelatives(file: string, family: Family, unet: UNetConfig, texts: readonly TextFinding[]): void {
  const refuse = (is: string): never => {
    throw new ImpastoError('UNKNOWN_ARCHITECTURE', `${file} is ${is}.`, 'Impasto draws with SD 1.x, SD 2.x and SDXL checkpoints.');
  };
  if (family !== 'sdxl') return;
  const [first] = texts;
  if (texts.length === 1 && first?.kind === 'openclip') {
    if (first.prefix.startsWith('cond_stage_model.')) refuse('an unCLIP model, conditioned on pictures');
    if (first.prefix.startsWith('conditioner.embedders.0.')) refuse('an SDXL refiner: Impasto draws with the base model alone');
  }
  if (!unet.useLinearProjection) refuse('a UNet with added conditioning that is not SDXL');
}

function completeAddition(part: PartWeights, unet: UNetConfig, pooled: TextEncoderConfig | undefined): void {
  if (!unet.addition) return;
  const pooledDim = pooled?.projectionDim;
  // Without the second text encoder the file is refused as incomplete; SDXL's own size stands in till then.
  unet.addition.timeEmbedDim = pooledDim ? additionTimeDim(part, unet.addition.projectionInputDim, pooledDim) : 256;
}

/**
 * SD2 is conditioned on the state before OpenCLIP's last layer. A file with the whole of OpenCLIP (told by its
 * `text_projection`, or by the published 24 layers) still has that layer; one written from a diffusers folder does not.
 */
function hiddenStateFromEnd(family: Family, text: TextFinding | undefined, config: TextEncoderConfig | undefined): number {
  if (family === 'sdxl') return 2;
  if (text?.kind !== 'openclip') return 1;
  return text.part.weights.has('text_projection.weight') || config?.layers === 24 ? 2 : 1;
}

/** ModelSpec's `resolution`, e.g. `1024x1024`, as a latent side. */
function sampleSizeFrom(metadata: Record<string, string>): number | null {
  const match = /^(\d{2,5})x(\d{2,5})$/.exec(metadata['modelspec.resolution'] ?? '');
  if (!match) return null;
  return Math.max(Math.round(Math.sqrt(Number(match[1]) * Number(match[2])) / 64) * 8, 8);
}

function noteUnused(notes: string[], part: string, unused: string[]): void {
  if (unused.length === 0) return;
  notes.push(`${unused.length} tensors of the ${part} have no place in it and are not used, e.g. '${unused[0]}'.`);
}

function noteFile(notes: string[], header: SafetensorsHeader, text: readonly TextEncoderConfig[]): void {
  if ([...header.tensors.keys()].some((name) => name.startsWith('model_ema.'))) {
    notes.push('The file also holds averaged (EMA) weights, which are not used.');
  }
  const cut = text.find((config) => config.vocabSize < clipVocabularySize);
  if (cut) {
    notes.push(
      `The text encoder knows ${cut.vocabSize} tokens of CLIP's ${clipVocabularySize}: they are taken to be its first merges.`,
    );
  }
}

function partMissing(file: string, part: string, remedy: string): ImpastoError {
  return new ImpastoError('PART_MISSING', `${file} has no ${part}.`, remedy);
}

/** Used in messages by the callers. */
export function titleOf(family: Family): string {
  return familyTitles[family];
}
