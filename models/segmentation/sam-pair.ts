import { basename, dirname, join, resolve } from 'node:path';
import { ImpastoError } from '../../contract/errors.ts';
import { fileSize, listFolder } from '../checkpoint/folder/folder-files.ts';
import { onnxDataFiles } from '../checkpoint/onnx/onnx-data-files.ts';
import { type OnnxHeader, readOnnxHeader } from '../checkpoint/onnx/onnx-header.ts';
import { listed, type SamDecoder, type SamEncoder, type SamHalf, samHalf } from './sam-graphs.ts';

/** A file that is one half, with the data files that belong to it. */
export type SamFile<Half> = Half & { path: string; files: readonly string[]; bytes: number };

/** Encoder and decoder of one Segment Anything model. */
export interface SamPair {
  encoder: SamFile<SamEncoder>;
  decoder: SamFile<SamDecoder>;
  /** Pixels: pictures are scaled to this longer side. */
  side: number;
  notes: string[];
}

/** What is meant where neither half says. */
const usualSide = 1024;

/** ONNX files of one folder that are looked into. */
const mostFiles = 64;

/**
 * Finds the two halves of a SAM.
 * @param path a folder that holds both, itself or in `onnx/` as repositories for transformers.js have it; or one of the two files
 * @throws ImpastoError `FILE_NOT_FOUND`, `PART_MISSING` where a half is not there, `UNKNOWN_ARCHITECTURE` where the files are
 *   something else, `TENSOR_SHAPE` where the halves do not fit each other, `REQUEST_INVALID` where several pairs are there
 */
export async function openSam(path: string): Promise<SamPair> {
  const given = resolve(path);
  const isFile = (await fileSize(given)) !== null;
  const folder = isFile ? dirname(given) : await onnxFolder(given);
  const names = ((await listFolder(folder)) ?? []).filter((name) => /\.onnx$/i.test(name));
  if (names.length === 0) {
    throw new ImpastoError('PART_MISSING', `${given} holds no .onnx file.`, expected);
  }
  if (names.length > mostFiles) {
    throw new ImpastoError('REQUEST_INVALID', `${given} holds ${names.length} .onnx files.`, ownFolder);
  }
  const opened = names.map((name) => openHalf(join(folder, name)));
  const encoders = opened.flatMap(({ half }) => (half?.role === 'encoder' ? [half] : []));
  const decoders = opened.flatMap(({ half }) => (half?.role === 'decoder' ? [half] : []));
  if (encoders.length === 0 || decoders.length === 0) throw incomplete(given, opened);
  const { encoder, decoder, note } = pairOf(given, encoders, decoders, isFile ? given : null);
  return {
    encoder: await whole(encoder),
    decoder: await whole(decoder),
    side: sideOf(encoder, decoder),
    notes: note ? [note] : [],
  };
}

type Located<Half> = Half & { path: string; header: OnnxHeader };

interface Opened {
  path: string;
  header: OnnxHeader;
  half: Located<SamHalf> | null;
  refusal: ImpastoError | null;
}

async function onnxFolder(folder: string): Promise<string> {
  const names = await listFolder(folder);
  if (names === null) throw new ImpastoError('FILE_NOT_FOUND', `${folder} is not there.`, 'Choose another one.');
  if (names.some((name) => /\.onnx$/i.test(name)) || !names.includes('onnx')) return folder;
  return join(folder, 'onnx');
}

function openHalf(path: string): Opened {
  const header = readOnnxHeader(path);
  try {
    const half = samHalf(header, path);
    return { path, header, half: half && { ...half, path, header }, refusal: null };
  } catch (thrown) {
    if (!(thrown instanceof ImpastoError)) throw thrown;
    return { path, header, half: null, refusal: thrown };
  }
}

function incomplete(path: string, opened: readonly Opened[]): ImpastoError {
  const refused = opened.find(({ refusal }) => refusal !== null)?.refusal;
  if (refused) return refused;
  const there = opened.find(({ half }) => half !== null)?.half;
  if (there) {
    const [here, other] = there.role === 'encoder' ? ['encoder', 'decoder'] : ['decoder', 'encoder'];
    return new ImpastoError(
      'PART_MISSING',
      `${path} holds the ${here} of a SAM (${basename(there.path)}) and no ${other}.`,
      expected,
    );
  }
  const found = opened.slice(0, 3).map(({ path: file, header }) => {
    return `${basename(file)} takes ${listed(header.inputs.slice(0, 8))} and gives ${listed(header.outputs.slice(0, 4))}`;
  });
  return new ImpastoError('UNKNOWN_ARCHITECTURE', `${path} holds no SAM: ${found.join('; ')}.`, expected);
}

const expected =
  'Expected are two ONNX files: an encoder that gives image_embeddings and a decoder that takes them with point_coords and ' +
  'point_labels (SAM, MobileSAM, EdgeSAM), or vision_encoder.onnx and prompt_encoder_mask_decoder.onnx (Optimum).';

const ownFolder = 'Put each pair into a folder of its own, or name its encoder file.';

/** A file's name without what tells its role: halves of one model have it in common. */
function stemOf(path: string): string {
  return basename(path)
    .replace(/\.onnx$/i, '')
    .replace(/prompt_encoder_mask_decoder|(?:vision|image)?[-_.]?encoder|(?:mask)?[-_.]?decoder/i, '')
    .replace(/^[-_.]+|[-_.]+$/g, '');
}

/** The pair that is meant: the plain one where the others are its variants in other precisions. */
function pairOf(
  path: string,
  encoders: readonly Located<SamEncoder>[],
  decoders: readonly Located<SamDecoder>[],
  file: string | null,
): { encoder: Located<SamEncoder>; decoder: Located<SamDecoder>; note: string | null } {
  const [onlyEncoder, onlyDecoder] = [encoders[0], decoders[0]];
  if (encoders.length === 1 && decoders.length === 1 && onlyEncoder && onlyDecoder) {
    return { encoder: onlyEncoder, decoder: onlyDecoder, note: null };
  }
  const pairs = encoders.flatMap((encoder) =>
    decoders
      .filter((decoder) => stemOf(decoder.path) === stemOf(encoder.path))
      .map((decoder) => ({ encoder, decoder, stem: stemOf(encoder.path) })),
  );
  const meant =
    file === null ? pairs : pairs.filter(({ encoder, decoder }) => [encoder.path, decoder.path].includes(file));
  const plain = meant.find(({ stem }) => meant.every((other) => other.stem.startsWith(stem)));
  if (plain) {
    const note = `Of ${encoders.length} encoders and ${decoders.length} decoders, ${basename(plain.encoder.path)} and ${basename(plain.decoder.path)} are used.`;
    return { ...plain, note };
  }
  const there = [...encoders, ...decoders].map((half) => basename(half.path)).join(', ');
  throw new ImpastoError(
    'REQUEST_INVALID',
    `Which halves in ${path} belong together is not clear: ${there}.`,
    ownFolder,
  );
}

async function whole<Half extends SamHalf>({ header, ...half }: Located<Half>): Promise<SamFile<Half>> {
  const data = await onnxDataFiles(half.path, header, `SAM ${half.role}`);
  const bytes = data.reduce((sum, file) => sum + file.bytes, header.fileSize);
  return {
    ...(half as unknown as Half & { path: string }),
    files: [half.path, ...data.map((file) => file.path)],
    bytes,
  };
}

function sideOf(encoder: Located<SamEncoder>, decoder: Located<SamDecoder>): number {
  const differ = encoder.shape.some((side, axis) => {
    const wanted = decoder.shape[axis];
    return side !== null && wanted !== null && wanted !== undefined && side !== wanted;
  });
  if (differ || (encoder.side !== null && decoder.side !== null && encoder.side !== decoder.side)) {
    const shape = (half: SamHalf) => `[${half.shape.map((side) => side ?? '?').join(', ')}]`;
    throw misfit(
      `${basename(encoder.path)} gives embeddings ${shape(encoder)} of pictures of ${encoder.side ?? 'any'} pixels, and ` +
        `${basename(decoder.path)} takes ${shape(decoder)} of ${decoder.side ?? 'any'}`,
    );
  }
  if (decoder.layout === 'optimum' && encoder.positions === null) {
    throw misfit(
      `${basename(decoder.path)} takes image_positional_embeddings, which ${basename(encoder.path)} does not give`,
    );
  }
  return encoder.side ?? decoder.side ?? usualSide;
}

function misfit(what: string): ImpastoError {
  return new ImpastoError(
    'TENSOR_SHAPE',
    `${what}: they are not of one model.`,
    'Use the two files of the same export.',
  );
}
