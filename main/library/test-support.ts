import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { onTestFinished } from 'vitest';
import { parseRequest } from '../../contract/parse.ts';
import type { RenderRequestInput } from '../../contract/request.ts';
import { type TensorToWrite, writeSafetensors } from '../../models/weights/write-safetensors.ts';
import { openLibraryDatabase } from './index/library-database.ts';
import { insertPngChunks } from './metadata/png-chunks.ts';
import { pngTextChunk } from './metadata/png-text.ts';
import { requestToJson } from './metadata/request-json.ts';

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'impasto-library-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

export function openIndex(folder = temporaryFolder()) {
  const database = openLibraryDatabase(join(folder, 'library.sqlite'));
  onTestFinished(() => database.close());
  return database;
}

export function floats(shape: readonly number[], value = 0): TensorToWrite {
  const count = shape.reduce((product, side) => product * side, 1);
  return { dtype: 'F32', shape, data: new Uint8Array(new Float32Array(count).fill(value).buffer) };
}

/** A LoRA of one cross-attention layer; `width` of the text it reads tells the family. */
export async function writeAdapter(
  path: string,
  { width = 768, rank = 4, metadata = {} }: { width?: number; rank?: number; metadata?: Record<string, string> } = {},
): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const layer = 'lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k';
  const tensors = {
    [`${layer}.lora_down.weight`]: floats([rank, width]),
    [`${layer}.lora_up.weight`]: floats([320, rank]),
    [`${layer}.alpha`]: floats([], rank),
  };
  await writeSafetensors(path, tensors, metadata);
}

/** A PNG as Impasto writes it, or, where `parameters` is given, as A1111 does. */
export async function pictureBytes(
  request: RenderRequestInput = {},
  { width = 16, height = 16, parameters }: { width?: number; height?: number; parameters?: string } = {},
): Promise<Buffer> {
  const noise = Buffer.from(Array.from({ length: width * height * 3 }, (_, index) => (index * 7919 + 13) % 251));
  const plain = await sharp(noise, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  const chunk =
    parameters === undefined
      ? pngTextChunk('impasto', requestToJson(parseRequest(request)))
      : pngTextChunk('parameters', parameters);
  return await insertPngChunks(plain, { late: [chunk] });
}

export async function writePicture(path: string, ...content: Parameters<typeof pictureBytes>): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, await pictureBytes(...content));
}
