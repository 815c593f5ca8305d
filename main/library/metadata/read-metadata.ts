import { open } from 'node:fs/promises';
import sharp from 'sharp';
import type { EngineWarning } from '../../../contract/engine.ts';
import { asImpastoError, ImpastoError } from '../../../contract/errors.ts';
import { parseRequest } from '../../../contract/parse.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import { type PictureFormat, pictureFormatOf } from '../../engine/image/picture-format.ts';
import { type ByteSource, fileSource } from '../files/byte-source.ts';
import { readExif, readExifBlock } from './exif.ts';
import { parseInfotext } from './parse-infotext.ts';
import { readPngText } from './png-text.ts';
import { requestFromJson } from './request-json.ts';
import { requestFromXmp } from './xmp.ts';

export interface PictureMetadata {
  /** The request that drew the picture, or the one that its infotext describes. */
  request?: RenderRequest;
  /** Where `request` is from: our own JSON is whole, an infotext is not. */
  source?: 'impasto' | 'infotext';
  /** A1111's `parameters` text as it stands in the file. */
  infotext?: string;
  /** The model as the infotext names it; its file must be found by whoever knows where models lie. */
  model?: { name?: string; hash?: string };
  /** Hashes of adapters by the names that `<lora:...>` tags have, as the infotext gives them. */
  adapterHashes?: Map<string, string>;
  /** All that was skipped, not understood or not taken over. */
  warnings: EngineWarning[];
}

export interface ReadMetadataOptions {
  /**
   * False: a PNG is read up to its picture data where its settings stand before them, as Impasto and A1111 write them;
   * a file that is cut off after that goes unnoticed. True by default.
   */
  whole?: boolean;
}

/**
 * Reads how a picture was drawn, from any format that Impasto writes and from other tools' files.
 * @throws ImpastoError `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `IMAGE_UNREADABLE`.
 */
export async function readMetadata(path: string, { whole = true }: ReadMetadataOptions = {}): Promise<PictureMetadata> {
  const { json, infotext, warnings } = await readTexts(path, whole);
  const metadata: PictureMetadata = { warnings, ...(infotext === undefined ? {} : { infotext }) };
  const parsed = infotext === undefined ? undefined : parseInfotext(infotext);
  if (parsed?.model.name !== undefined || parsed?.model.hash !== undefined) metadata.model = parsed.model;
  if (parsed && parsed.adapterHashes.size > 0) metadata.adapterHashes = parsed.adapterHashes;
  const own = json === undefined ? undefined : requestFromJson(json);
  if (own && !(own instanceof ImpastoError)) return { ...metadata, request: own, source: 'impasto' };
  if (own) {
    const instead = parsed ? 'its settings as other tools write them are used instead' : 'it is not used';
    warnings.push({
      code: 'METADATA_INVALID',
      message: `The request in ${path} is damaged or newer: ${own.message} ${instead}.`,
    });
  }
  if (infotext !== undefined && !parsed) {
    warnings.push({ code: 'METADATA_UNKNOWN', message: `The text in ${path} holds no settings.` });
  }
  if (!parsed) return metadata;
  for (const setting of parsed.unmapped) {
    warnings.push({ code: 'METADATA_UNMAPPED', message: `Not taken over: ${setting}.` });
  }
  if (parsed.model.name !== undefined) {
    parsed.request.model = parsed.model.name;
    const hash = parsed.model.hash === undefined ? '' : ` (hash ${parsed.model.hash})`;
    warnings.push({
      code: 'METADATA_MODEL',
      message: `The picture names its model only as ${parsed.model.name}${hash}: choose the file.`,
    });
  }
  try {
    return { ...metadata, request: parseRequest(parsed.request), source: 'infotext' };
  } catch (error) {
    warnings.push({ code: 'METADATA_INVALID', message: asImpastoError(error).message });
    return metadata;
  }
}

/**
 * The request that draws a picture again, as `readMetadata` finds it.
 * @param warn Hears what was skipped or not taken over.
 * @throws ImpastoError `NO_METADATA` where there is none, and as {@link readMetadata}.
 */
export async function requestFromPicture(
  path: string,
  warn: (warning: EngineWarning) => void = () => {},
): Promise<RenderRequest> {
  const { request, warnings } = await readMetadata(path);
  if (!request) throw noMetadata(path, warnings);
  warnings.forEach(warn);
  return request;
}

export function noMetadata(path: string, warnings: readonly EngineWarning[]): ImpastoError {
  const why = warnings.map(({ message }) => ` ${message}`).join('');
  return new ImpastoError(
    'NO_METADATA',
    `${path} does not say how it was drawn.${why}`,
    'Use the file as it was first saved: messengers, editors and websites often remove this text.',
  );
}

interface Texts {
  /** Our own JSON. */
  json?: string | undefined;
  infotext?: string | undefined;
  warnings: EngineWarning[];
}

async function readTexts(path: string, whole: boolean): Promise<Texts> {
  const format = await pictureFormatOf(path);
  if (format === 'png' || format === 'tiff') {
    return await withSource(path, (source) => (format === 'png' ? pngTexts(source, whole) : tiffTexts(source)));
  }
  return await blockTexts(path, format);
}

async function pngTexts(source: ByteSource, whole: boolean): Promise<Texts> {
  const settled = (found: ReadonlyMap<string, string>) => found.has('impasto') || found.has('parameters');
  const { texts, exif, warnings } = await readPngText(source, whole ? undefined : settled);
  const fromExif = exif ? await readExifBlock(exif) : {};
  const xmp = texts.get('XML:com.adobe.xmp') ?? fromExif.xmp;
  const json = texts.get('impasto') ?? (xmp === undefined ? undefined : requestFromXmp(xmp));
  const infotext = texts.get('parameters') ?? fromExif.comment;
  const found: EngineWarning[] = warnings.map((message) => ({ code: 'METADATA_DAMAGED', message }));
  const others = [...texts.keys()].filter((key) => /^(prompt|workflow|comment|sd-metadata|invokeai.*)$/i.test(key));
  if (json === undefined && infotext === undefined && others.length > 0) {
    found.push({
      code: 'METADATA_UNKNOWN',
      message: `The picture holds another tool's settings (${others.join(', ')}), which Impasto does not read.`,
    });
  }
  return { json, infotext, warnings: found };
}

async function tiffTexts(source: ByteSource): Promise<Texts> {
  const { comment, xmp } = await readExif(source);
  return { json: xmp === undefined ? undefined : requestFromXmp(xmp), infotext: comment, warnings: [] };
}

async function blockTexts(path: string, format: PictureFormat): Promise<Texts> {
  const { exif, xmp } = await sharp(path, { limitInputPixels: false, failOn: 'none' })
    .metadata()
    .catch((error: unknown) => {
      throw new ImpastoError(
        'IMAGE_UNREADABLE',
        `${path} is not a whole ${format.toUpperCase()} file: ${asImpastoError(error).message.split('\n')[0]}.`,
        'The file is broken or cut off: save or download it again.',
        { cause: error },
      );
    });
  const { comment } = exif ? await readExifBlock(exif) : {};
  return { json: xmp && requestFromXmp(xmp.toString('utf8')), infotext: comment, warnings: [] };
}

async function withSource(path: string, read: (source: ByteSource) => Promise<Texts>): Promise<Texts> {
  const file = await open(path, 'r');
  try {
    return await read(fileSource(file, (await file.stat()).size));
  } finally {
    await file.close();
  }
}
