import { byteSize } from '../../contract/byte-size.ts';
import type { ErrorRecord } from '../../contract/errors.ts';
import type { Checkpoint, Family } from './checkpoint.ts';
import { familyTitles } from './family.ts';
import { autoV2 } from './hash.ts';
import { type OpenOptions, surveyCheckpoint } from './open.ts';

/** What `impasto inspect` tells of a checkpoint. */
export interface FileFacts {
  path: string;
  layout: Checkpoint['layout'];
  family: Family;
  variant: Checkpoint['variant'];
  /** Parameters of each part that is there. */
  parameters: Record<string, number>;
  /** Dtype of the most parameters, as safetensors names it. */
  dtype: string;
  predictionType: Checkpoint['predictionType'];
  predictionTypeFrom: Checkpoint['predictionTypeFrom'];
  /** Pixels of the side it was trained for. */
  size: number;
  tensors: number;
  /** Bytes of all its files. */
  fileSize: number;
  /** AutoV2; null for folders, and where it was not asked for. */
  hash: string | null;
  /** Parts and tensors that are not there. */
  missing: string[];
  notes: string[];
  /** What forbids drawing with it, the gravest first. */
  problems: ErrorRecord[];
}

/**
 * @param options.hash Hash the whole file, which reads it through.
 * @throws ImpastoError Where it is no checkpoint at all; what is missing from one is told.
 */
export async function describeFile(
  path: string,
  options: OpenOptions & { hash?: boolean; signal?: AbortSignal } = {},
): Promise<FileFacts> {
  const survey = await surveyCheckpoint(path, options);
  const vaeLevels = survey.vae.decoder?.config.blockOutChannels.length ?? 4;
  return {
    path: survey.path,
    layout: survey.layout,
    family: survey.family,
    variant: survey.variant,
    parameters: survey.parameters,
    dtype: survey.dtype,
    predictionType: survey.predictionType,
    predictionTypeFrom: survey.predictionTypeFrom,
    size: (survey.unet?.config.sampleSize ?? 0) * 2 ** (vaeLevels - 1),
    tensors: survey.tensors,
    fileSize: survey.fileSize,
    hash: options.hash && survey.layout === 'single-file' ? await autoV2(survey.path, options.signal) : null,
    missing: survey.missing,
    notes: survey.notes,
    problems: survey.problems.map((problem) => problem.toRecord()),
  };
}

const layoutTitles: Record<Checkpoint['layout'], string> = {
  'single-file': 'single file',
  diffusers: 'diffusers folder',
  onnx: 'ONNX folder',
};
const partTitles: Record<string, string> = {
  unet: 'UNet',
  textEncoder: 'text encoder',
  textEncoder2: 'second text encoder',
  vaeEncoder: 'VAE encoder',
  vaeDecoder: 'VAE decoder',
};
const predictionSources: Record<Checkpoint['predictionTypeFrom'], string> = {
  setting: 'as you set it',
  config: "from the model's config",
  metadata: "from the file's metadata",
  tensors: "told by the file's tensors",
  'family-default': "the family's default",
};

/** The facts as lines to read: label and value. */
export function factLines(facts: FileFacts): [label: string, value: string][] {
  const total = Object.values(facts.parameters).reduce((sum, count) => sum + count, 0);
  const lines: [string, string][] = [
    ['file', facts.path],
    ['layout', layoutTitles[facts.layout]],
    [
      'family',
      facts.variant === 'base' ? familyTitles[facts.family] : `${familyTitles[facts.family]}, ${facts.variant}`,
    ],
    ['parameters', amount(total)],
    ...Object.entries(facts.parameters).map(([part, count]): [string, string] => [
      `  ${partTitles[part] ?? part}`,
      amount(count),
    ]),
    ['dtype', facts.dtype],
    ['prediction type', `${facts.predictionType} (${predictionSources[facts.predictionTypeFrom]})`],
    ['trained size', `${facts.size} x ${facts.size}`],
    ['size on disk', `${byteSize(facts.fileSize)} in ${facts.tensors} tensors`],
    ['missing', summary(facts.missing)],
  ];
  if (facts.hash) lines.push(['AutoV2 hash', facts.hash]);
  for (const note of facts.notes) lines.push(['note', note]);
  for (const { message, remedy } of facts.problems) lines.push(['problem', `${message} ${remedy}`]);
  return lines;
}

function summary(missing: readonly string[]): string {
  if (missing.length === 0) return 'nothing';
  const shown = missing.slice(0, 5).join(', ');
  return missing.length > 5 ? `${shown} and ${missing.length - 5} more` : shown;
}

function amount(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(2)} billion`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} million`;
  return String(count);
}
