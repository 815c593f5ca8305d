import { deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import type { EngineWarning } from '../../../contract/engine.ts';
import type { ExportOptions } from '../../../contract/export.ts';
import { buildExif, commentEntries, encodeUserComment, maxUserCommentBytes } from '../metadata/exif.ts';
import { insertPngChunks, type PngChunk } from '../metadata/png-chunks.ts';
import { pngTextChunk } from '../metadata/png-text.ts';
import { addTiffEntries, type TiffEntry, tiffTag, tiffType } from '../metadata/tiff.ts';
import { buildXmp, maxJpegXmpBytes } from '../metadata/xmp.ts';
import { srgbProfile } from './srgb-profile.ts';

/** RGB samples, row by row, interleaved; 8-bit or 16-bit by the array's type. */
export interface Samples {
  width: number;
  height: number;
  data: Uint8Array | Uint16Array;
}

/** What is written into a picture besides its pixels; a picture of another tool has no request. */
export interface PictureText {
  /** A1111's `parameters` text. */
  infotext: string;
  /** The RenderRequest as JSON. */
  requestJson?: string;
}

export interface Encoded {
  bytes: Buffer;
  warnings: EngineWarning[];
}

type Encoding = Pick<ExportOptions, 'format' | 'quality' | 'lossless'>;

/**
 * A picture file in memory, tagged as sRGB.
 *
 * Where the text goes: PNG holds it as the texts `parameters` and `impasto`; the others hold the infotext in EXIF's
 * UserComment and the request in XMP.
 */
export function encodePicture(samples: Samples, encoding: Encoding, text?: PictureText): Promise<Encoded> {
  if (encoding.format === 'png') return encodePng(samples, text);
  if (encoding.format === 'tiff') return encodeTiff(samples, text);
  return encodeWithExif(samples, encoding, text);
}

/**
 * sharp writes no PNG texts, and takes 16-bit samples through Display P3 where it attaches a profile, which changes
 * them: both are added here.
 */
async function encodePng(samples: Samples, text?: PictureText): Promise<Encoded> {
  const png = await fromRaw(samples).png({ compressionLevel: 6 }).toBuffer();
  const profileData = Buffer.concat([Buffer.from('sRGB\0\0', 'latin1'), deflateSync(await srgbProfile())]);
  const late: PngChunk[] = [];
  if (text) late.push(pngTextChunk('parameters', text.infotext));
  if (text?.requestJson !== undefined) late.push(pngTextChunk('impasto', text.requestJson));
  return { bytes: await insertPngChunks(png, { early: [{ type: 'iCCP', data: profileData }], late }), warnings: [] };
}

/** sharp writes no EXIF into TIFF either: it is added here, with the profile. */
async function encodeTiff(samples: Samples, text?: PictureText): Promise<Encoded> {
  const tiff = await fromRaw(samples).tiff({ compression: 'deflate', predictor: 'horizontal' }).toBuffer();
  const entries = [bytesEntry(tiffTag.iccProfile, tiffType.undefined, await srgbProfile())];
  if (text?.requestJson !== undefined) {
    entries.push(bytesEntry(tiffTag.xmp, tiffType.byte, Buffer.from(buildXmp(text.requestJson))));
  }
  return { bytes: await addTiffEntries(tiff, entries, text && commentEntries(text.infotext)), warnings: [] };
}

function bytesEntry(tag: number, type: number, value: Buffer): TiffEntry {
  return { tag, type, count: value.length, value };
}

/**
 * sharp can write a UserComment only as ASCII, but keeps a block that came with its input unchanged: the pixels take
 * a way through an uncompressed PNG that carries ours.
 */
async function encodeWithExif(samples: Samples, encoding: Encoding, text?: PictureText): Promise<Encoded> {
  const warnings: EngineWarning[] = [];
  let picture = fromRaw(samples);
  if (text && encodeUserComment(text.infotext).length <= maxUserCommentBytes) {
    const carrier = await picture.png({ compressionLevel: 0 }).toBuffer();
    const early = [{ type: 'eXIf', data: buildExif(text.infotext) }];
    picture = sharp(await insertPngChunks(carrier, { early })).keepExif();
  } else if (text) {
    warnings.push(tooLong(encoding, 'the prompt as other tools read it was left out'));
  }
  if (text?.requestJson !== undefined) {
    const xmp = buildXmp(text.requestJson);
    const fits = encoding.format !== 'jpeg' || Buffer.byteLength(xmp) <= maxJpegXmpBytes;
    if (fits) picture = picture.withXmp(xmp);
    else warnings.push(tooLong(encoding, 'the request was left out, so this file cannot be drawn again'));
  }
  return { bytes: await toFormat(picture.withIccProfile('srgb'), encoding).toBuffer(), warnings };
}

function tooLong({ format }: Encoding, what: string): EngineWarning {
  return {
    code: 'METADATA_TOO_LONG',
    message: `The prompt is too long for the metadata of ${format.toUpperCase()}: ${what}. PNG and TIFF have no limit.`,
  };
}

function toFormat(picture: Sharp, { format, quality, lossless }: Encoding): Sharp {
  // Full colour resolution: halved chroma shows at the hard, saturated edges that drawings have.
  if (format === 'jpeg') return picture.jpeg({ quality, chromaSubsampling: '4:4:4' });
  if (format === 'webp') return picture.webp({ quality, lossless });
  // sharp's default effort of 4 takes seven times as long as 3 for the same size and PSNR.
  return picture.avif({ quality, lossless, chromaSubsampling: '4:4:4', effort: 3 });
}

function fromRaw({ width, height, data }: Samples): Sharp {
  const picture = sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  return data instanceof Uint16Array ? picture.toColourspace('rgb16') : picture;
}
