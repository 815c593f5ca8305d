import { basename, extname } from 'node:path';
import type { EngineWarning } from '../../../contract/engine.ts';
import type { ExportOptions } from '../../../contract/export.ts';
import { imageSize } from '../../engine/image/decode.ts';
import { loadImage } from '../../engine/image/load-image.ts';
import type { Pixels } from '../../engine/image/pixels.ts';
import { writeInfotext } from '../metadata/infotext.ts';
import { type PictureMetadata, readMetadata } from '../metadata/read-metadata.ts';
import { requestToJson } from '../metadata/request-json.ts';
import type { PictureText } from './encode-picture.ts';
import { type Exported, exportPixels } from './export-image.ts';
import type { NameFacts } from './picture-name.ts';

/** A picture file, decoded once, to be written again in other ways. */
export interface OpenedPicture {
  write(options: ExportOptions): Promise<Exported>;
}

/**
 * Opens a picture of any origin to export it. What it says of itself goes along: our own request, and A1111's text as it
 * stands there.
 * @throws ImpastoError `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `IMAGE_UNREADABLE`, `IMAGE_TOO_LARGE`
 */
export async function openPicture(path: string): Promise<OpenedPicture> {
  const metadata = await readMetadata(path);
  const { width, height, pixels, warnings } = await loadImage(path, await imageSize(path));
  const image: Pixels = { width, height, pixels };
  const facts = nameFacts(metadata, image, path);
  const text = textOf(metadata, image);
  return {
    write: async (options) => {
      const written = await exportPixels(image, facts, text, options);
      const left = unwritten(metadata, options);
      return { ...written, warnings: [...warnings, ...left, ...written.warnings] };
    },
  };
}

function nameFacts({ request, model }: PictureMetadata, { width, height }: Pixels, path: string): NameFacts {
  const fallback = basename(path, extname(path));
  if (!request) {
    const nothing = { seed: null, prompt: '', model: null, steps: null, sampler: null, guidance: null };
    return { ...nothing, width, height, fallback };
  }
  const { seed, prompt, steps, scheduler, guidance } = request;
  const name = model?.name ?? basename(request.model);
  return {
    ...{ seed, prompt, model: name, width, height, steps, fallback },
    sampler: scheduler.name,
    guidance: guidance.scale,
  };
}

function textOf({ request, source, infotext, model }: PictureMetadata, image: Pixels): PictureText | undefined {
  if (request && source === 'impasto') {
    const summary = {
      request,
      modelName: model?.name ?? basename(request.model),
      ...(model?.hash === undefined ? {} : { modelHash: model.hash }),
    };
    const written = infotext ?? writeInfotext(summary, { ...image, seed: request.seed });
    return { infotext: written, requestJson: requestToJson(request) };
  }
  return infotext === undefined ? undefined : { infotext };
}

/** Settings of other tools, which are not understood and so are not copied. */
function unwritten({ warnings }: PictureMetadata, { metadata }: ExportOptions): EngineWarning[] {
  return metadata ? warnings.filter(({ code }) => code === 'METADATA_UNKNOWN' || code === 'METADATA_DAMAGED') : [];
}
