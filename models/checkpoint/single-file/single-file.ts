import { basename, extname } from 'node:path';
import { readSafetensorsHeader, type SafetensorsHeader } from '../../weights/safetensors.ts';
import type { WeightMap, WeightRef } from '../../weights/weight-map.ts';
import type { Family, TextEncoderPart } from '../checkpoint.ts';
import { openClipName, openClipText, transformersText } from '../clip-names.ts';
import type { TextEncoderConfig, UNetConfig } from '../component-config.ts';
import { familyOf, fitTogether, trainedSampleSize, unknownArchitecture, variantOf } from '../family.ts';
import { type Hints, mergeHints } from '../hints.ts';
import { ldmUNetLayout, ldmUNetNaming } from '../ldm-unet-names.ts';
import { textEncoderTensors, unetTensors } from '../module-names.ts';
import type { OpenOptions } from '../open.ts';
import type { PartWeights } from '../part-weights.ts';
import { familySchedulerConfig } from '../scheduler-config.ts';
import { Findings, type Survey } from '../survey.ts';
import { inferTextEncoderConfig } from './infer-text.ts';
import { additionTimeDim, inferUNetConfig } from './infer-unet.ts';
import { inferVaeConfig } from './infer-vae.ts';
import { findPredictionType } from './prediction-type.ts';
import { under } from './prefixed.ts';
import { refuseOtherKinds } from './recognise.ts';
import { fitVae, vaeOfFile } from './vae-part.ts';

/** A checkpoint in one .safetensors file, in LDM / sgm names. */

const unetPrefix = 'model.diffusion_model.';

interface TextLayout {
  prefix: string;
  kind: 'openai' | 'openclip';
}

/** Where checkpoints keep their text encoders, in the order in which SDXL concatenates them. */
const textLayouts: TextLayout[] = [
  { prefix: 'cond_stage_model.transformer.', kind: 'openai' },
  { prefix: 'conditioner.embedders.0.transformer.', kind: 'openai' },
  { prefix: 'cond_stage_model.model.', kind: 'openclip' },
  // SD2 as sgm writes it, and the SDXL refiner.
  { prefix: 'conditioner.embedders.0.model.', kind: 'openclip' },
  { prefix: 'conditioner.embedders.1.model.', kind: 'openclip' },
];

interface FoundText extends TextLayout {
  part: PartWeights;
  config: TextEncoderConfig;
}

/**
 * @throws ImpastoError Where the file is no Stable Diffusion checkpoint or its sizes cannot be told; what else is wrong
 * with it is in the survey's `problems`.
 */
export async function surveySingleFile(path: string, options: OpenOptions): Promise<Survey> {
  const header = await readSafetensorsHeader(path);
  refuseOtherKinds([...header.tensors.keys()], header.path);
  const hints = mergeHints(header.metadata, options.hints, header.path);
  const findings = new Findings();

  const unetPart = ldmUNet(header);
  const unet = inferUNetConfig(unetPart, hints.unet);
  const family = familyOf(unet);
  const texts = findTexts(header, hints);
  refuseRelatives(header.path, family, unet, texts);
  if (unet.addition) {
    // Without its second text encoder the file is refused below; SDXL's own size stands in till then.
    const pooled = texts.at(-1)?.config.projectionDim;
    unet.addition.timeEmbedDim = pooled ? additionTimeDim(unetPart, unet.addition.projectionInputDim, pooled) : 256;
  }

  const prediction = await findPrediction(options, family, unet, unetPart, header);
  if (prediction.note) findings.notes.push(prediction.note);
  unet.sampleSize ||= sampleSizeFrom(header.metadata) ?? trainedSampleSize(family, prediction.predictionType);

  const unetShapes = unetTensors(unet);
  const unetWeights = findings.fit('unet', unetPart, unetShapes);
  findings.noteUnused(unetPart, unetShapes);
  const textEncoders = texts.map((text, index) => fitText(text, index, findings));
  requireTexts(header.path, family, texts, findings);

  const vaePart = vaeOfFile(header);
  const vaeConfig = vaePart && inferVaeConfig(vaePart, family, hints.vae);
  const vae = vaePart && vaeConfig ? fitVae(vaePart, vaeConfig, findings) : { encoder: null, decoder: null };
  if (!vaePart) findings.missing.push('VAE');

  const configs = texts.map(({ config }) => config);
  findings.problems.push(...fitTogether(header.path, family, unet, vaeConfig?.latentChannels ?? null, configs));
  noteAveraged(header, findings);
  const scheduler = familySchedulerConfig(family, prediction.predictionType, prediction.zeroSnr);
  return {
    path: header.path,
    name: basename(header.path, extname(header.path)),
    layout: 'single-file',
    family,
    variant: variantOf(unet, scheduler),
    parameters: findings.parameters,
    dtype: findings.dtype,
    predictionType: prediction.predictionType,
    predictionTypeFrom: prediction.from,
    unet: { source: 'weights', config: unet, weights: unetWeights },
    vae,
    textEncoder: textEncoders[0] ?? null,
    textEncoder2: textEncoders[1] ?? null,
    scheduler,
    hiddenStateFromEnd: hints.hiddenStateFromEnd ?? hiddenStateFromEnd(family, texts[0]),
    finalNorm: family !== 'sdxl',
    zeroEmptyNegative: family === 'sdxl',
    notes: findings.notes,
    missing: findings.missing,
    problems: findings.problems,
    tensors: header.tensors.size,
    fileSize: header.fileSize,
  };
}

function ldmUNet(header: SafetensorsHeader): PartWeights {
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

function findTexts(header: SafetensorsHeader, hints: Hints): FoundText[] {
  const found: FoundText[] = [];
  for (const { prefix, kind } of textLayouts) {
    const tensors = under(header, prefix);
    const weights = kind === 'openai' ? transformersText(tensors) : openClipText(tensors);
    if (weights.size === 0) continue;
    const nameInFile = (name: string) => prefix + (kind === 'openai' ? name : openClipName(name));
    const part: PartWeights = {
      part: found.length === 0 ? 'text encoder' : 'second text encoder',
      source: header.path,
      weights,
      nameInFile,
    };
    const config = inferTextEncoderConfig(part, kind, found.length === 0 ? hints.textEncoder : hints.textEncoder2);
    found.push({ prefix, kind, part, config });
  }
  return found;
}

function fitText({ part, config }: FoundText, index: number, findings: Findings): TextEncoderPart {
  const weights: WeightMap = findings.fit(
    index === 0 ? 'textEncoder' : 'textEncoder2',
    part,
    textEncoderTensors(config),
  );
  return {
    part: { source: 'weights', config, weights },
    tokenizer: { folder: null, padTokenId: config.padTokenId, maxLength: config.maxPositions },
  };
}

/** Models of the same building blocks that are another pipeline. */
function refuseRelatives(file: string, family: Family, unet: UNetConfig, texts: readonly FoundText[]): void {
  if (family !== 'sdxl') return;
  const only = texts.length === 1 && texts[0]?.kind === 'openclip' ? texts[0].prefix : '';
  if (only.startsWith('cond_stage_model.'))
    throw unknownArchitecture(`${file} is an unCLIP model, conditioned on pictures`);
  if (only.startsWith('conditioner.embedders.0.')) {
    throw unknownArchitecture(`${file} is an SDXL refiner; Impasto draws with the base model alone`);
  }
  if (!unet.useLinearProjection) throw unknownArchitecture(`${file} has added conditioning but is not SDXL`);
}

function requireTexts(file: string, family: Family, texts: readonly FoundText[], findings: Findings): void {
  const kinds = texts.map(({ kind }) => kind);
  const wanted = family === 'sdxl' ? ['openai', 'openclip'] : [family === 'sd2' ? 'openclip' : 'openai'];
  // Where SD1 and SD2 have exchanged encoders, the widths decide whether they fit.
  if (family !== 'sdxl' && kinds.length === 1) return;
  for (const [index, kind] of wanted.entries()) {
    if (kinds.some((found) => found === kind)) continue;
    findings.partMissing(file, index === 0 ? 'text encoder' : 'second text encoder', 'Choose a full checkpoint.');
  }
}

async function findPrediction(
  options: OpenOptions,
  family: Family,
  unet: UNetConfig,
  part: PartWeights,
  header: SafetensorsHeader,
): Promise<Awaited<ReturnType<typeof findPredictionType>>> {
  const found = await findPredictionType(family, unet, part.weights, header);
  if (!options.predictionType) return found;
  return { ...found, predictionType: options.predictionType, from: 'setting', note: null };
}

/**
 * SD2 is conditioned on the state before OpenCLIP's last layer. A file with the whole of OpenCLIP (told by its
 * `text_projection`, or by the published 24 layers) still has that layer; one written from a diffusers folder does not.
 */
function hiddenStateFromEnd(family: Family, text: FoundText | undefined): number {
  if (family === 'sdxl') return 2;
  if (text?.kind !== 'openclip') return 1;
  return text.part.weights.has('text_projection.weight') || text.config.layers === 24 ? 2 : 1;
}

function noteAveraged(header: SafetensorsHeader, findings: Findings): void {
  const averaged = [...header.tensors.keys()].filter((name) => name.startsWith('model_ema.')).length;
  if (averaged > 100) findings.notes.push('The file also holds averaged (EMA) weights, which are not used.');
}

/** ModelSpec's `resolution`, e.g. `1024x1024`, as a latent side. */
function sampleSizeFrom(metadata: Record<string, string>): number | null {
  const match = /^(\d{2,4})x(\d{2,4})$/.exec(metadata['modelspec.resolution'] ?? '');
  if (!match) return null;
  return Math.max(Math.round(Math.sqrt(Number(match[1]) * Number(match[2])) / 64) * 8, 8);
}
