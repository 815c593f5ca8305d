import { join } from 'node:path';
import type { EngineWarning, RenderedImage, RenderSummary } from '../../../contract/engine.ts';
import { asImpastoError, ImpastoError } from '../../../contract/errors.ts';
import {
  type ExportFormat,
  type ExportOptions,
  type ExportOptionsInput,
  parseExportOptions,
} from '../../../contract/export.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import type { Pixels } from '../../engine/image/pixels.ts';
import { resampleLanczos } from '../../engine/image/resample.ts';
import { type AtomicWriteOptions, writeFileAtomic } from '../files/atomic-write.ts';
import { writeInfotext } from '../metadata/infotext.ts';
import { requestToJson } from '../metadata/request-json.ts';
import { encodePicture, type PictureText } from './encode-picture.ts';
import { type NameFacts, pictureName } from './picture-name.ts';
import { quantise } from './quantise.ts';

export interface Exported {
  path: string;
  /** Size of the file. */
  bytes: number;
  width: number;
  height: number;
  /** What could not be written into the file. */
  warnings: EngineWarning[];
}

const extensions: Record<ExportFormat, string> = { png: 'png', jpeg: 'jpg', webp: 'webp', avif: 'avif', tiff: 'tif' };

/** WebP stores a side in 14 bits. */
const maxWebpSide = 16383;

type Writing = { now?: Date } & Pick<AtomicWriteOptions, 'openTemp' | 'beforeName'>;

/**
 * Writes one finished picture: a whole file under a free name, or nothing.
 * @param writing `now`: the time for {date} and {time} in the name.
 * @throws ImpastoError `REQUEST_INVALID`, `NAN_LATENT`, `DISK_FULL`, `WRITE_FAILED`.
 */
export function exportImage(
  image: RenderedImage,
  summary: RenderSummary,
  options: ExportOptionsInput,
  writing: Writing = {},
): Promise<Exported> {
  const { request, modelName } = summary;
  const text = { infotext: writeInfotext(summary, image), requestJson: requestToJson(requestOf(image, summary)) };
  const facts: NameFacts = {
    seed: image.seed,
    prompt: request.prompt,
    model: modelName,
    width: image.width,
    height: image.height,
    steps: request.steps,
    sampler: request.scheduler.name,
    guidance: request.guidance.scale,
  };
  return exportPixels(image, facts, text, options, writing);
}

/**
 * Writes pixels as {@link exportImage} does.
 * @param text what the picture says of itself; not written where the options say so
 */
export async function exportPixels(
  image: Pixels,
  facts: NameFacts,
  text: PictureText | undefined,
  options: ExportOptionsInput,
  { now = new Date(), ...write }: Writing = {},
): Promise<Exported> {
  const parsed = parseExportOptions(options);
  const { width, height, pixels } = resized(image, parsed.resize);
  if (parsed.format === 'webp' && Math.max(width, height) > maxWebpSide) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `WebP holds at most ${maxWebpSide} pixels a side; this picture is ${width}x${height}.`,
      'Export to PNG or TIFF, or make it smaller.',
    );
  }
  const samples = { width, height, data: quantise(pixels, parsed.bitDepth) };
  const kept = parsed.metadata ? text : undefined;
  const { bytes, warnings } = await encodePicture(samples, parsed, kept).catch((error: unknown) => {
    throw new ImpastoError(
      'WRITE_FAILED',
      `The picture could not be encoded as ${parsed.format}: ${asImpastoError(error).message}.`,
      'Export to another format.',
      { cause: error },
    );
  });
  const name = pictureName(parsed.name, facts, now);
  const path = `${join(parsed.folder, ...name)}.${extensions[parsed.format]}`;
  const written = await writeFileAtomic(path, bytes, { overwrite: parsed.overwrite, ...write });
  return { path: written, bytes: bytes.length, width, height, warnings };
}

/** The request that draws this one picture of its batch again. */
function requestOf(image: RenderedImage, summary: RenderSummary): RenderRequest {
  return { ...summary.request, seed: image.seed, batch: 1 };
}

function resized(image: Pixels, resize: ExportOptions['resize']): Pixels {
  if (!resize) return image;
  const scale = resize.width !== undefined ? resize.width / image.width : (resize.height as number) / image.height;
  const width = resize.width ?? Math.max(1, Math.round(image.width * scale));
  const height = resize.height ?? Math.max(1, Math.round(image.height * scale));
  const size = { width: image.width, height: image.height, channels: 3 };
  return { width, height, pixels: resampleLanczos(image.pixels, size, width, height) };
}
