import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type TensorToWrite, writeSafetensors } from '../../models/weights/write-safetensors.ts';
import { openLibraryDatabase } from './index/library-database.ts';

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
  const layer = 'lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k';
  const tensors = {
    [`${layer}.lora_down.weight`]: floats([rank, width]),
    [`${layer}.lora_up.weight`]: floats([320, rank]),
    [`${layer}.alpha`]: floats([], rank),
  };
  await writeSafetensors(path, tensors, metadata);
}
