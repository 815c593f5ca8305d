/**
 * The library with 10,000 pictures and 2,000 adapters (the size of a LoRA's header, 264 modules) in a folder of its own:
 * the first look, the start when all is known, searches, and the whole of Impasto behind a window against one that has
 * nothing. Prints one JSON line.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { openBackend } from '../main/handlers/backend.ts';
import { Library } from '../main/library/library.ts';
import { type TensorToWrite, writeSafetensors } from '../models/weights/write-safetensors.ts';
import { seedPictures, seedWord } from './seed-pictures.ts';
import { percentile } from './statistics.ts';

const [pictures = '10000', adapters = '2000'] = process.argv.slice(2);
const home = mkdtempSync(join(tmpdir(), 'impasto-library-bench-'));
await seedPictures(home, Number(pictures));
await writeAdapters(Number(adapters));

const first = await opened(async (library) => ({
  models: await timed(() => library.models.scan()),
  pictures: await timed(() => library.pictures.scan()),
}));
const second = await opened(async (library, began) => {
  const listed = timedNow(() => [library.models.list({ limit: 100 }), library.pictures.list({ limit: 100 })]);
  const answering = performance.now() - began;
  const models = await timed(() => library.models.scan());
  const scanned = await timed(() => library.pictures.scan());
  return { listed, answering, models, pictures: scanned };
});
const queries = [
  (index: number) => ({ text: `${seedWord(index, 1)} ${seedWord(index, 2)}` }),
  (index: number) => ({ text: `${seedWord(index, 3)?.slice(0, 3)} -${seedWord(index, 4)}` }),
  (index: number) => ({ text: `"a ${seedWord(index, 1)}" model:model${index % 7}` }),
  (index: number) => ({ offset: (index * 37) % 9000 }),
  (index: number) => ({ model: `model${index % 7}`, from: (index % 100) * 86_400_000 }),
];
const search = await opened(async (library) => {
  const times: number[] = [];
  for (let index = 0; index < 500; index += 1) {
    const query = queries[index % queries.length]?.(index);
    times.push(timedNow(() => library.pictures.list(query)));
  }
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
});
const empty = mkdtempSync(join(tmpdir(), 'impasto-library-empty-'));
const starts = { full: [] as number[], empty: [] as number[] };
for (let round = 0; round < 5; round += 1) {
  starts.full.push(await backendStart(home));
  starts.empty.push(await backendStart(empty));
}
rmSync(empty, { recursive: true, force: true });
const idle = await opened(async (library) => {
  await library.start();
  await library.models.hashAll();
  await wait(1000);
  const before = process.cpuUsage();
  await wait(3000);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 3_000_000;
});
console.log(
  JSON.stringify({
    pictures: Number(pictures),
    adapters: Number(adapters),
    firstModelsSeconds: first.models / 1000,
    firstPicturesSeconds: first.pictures / 1000,
    startSeconds: second.answering / 1000,
    listMilliseconds: second.listed,
    rescanModelsSeconds: second.models / 1000,
    rescanPicturesSeconds: second.pictures / 1000,
    backendStartSeconds: percentile(starts.full, 0.5) / 1000,
    emptyStartSeconds: percentile(starts.empty, 0.5) / 1000,
    searchP50Milliseconds: search.p50,
    searchP99Milliseconds: search.p99,
    idleShareOfCore: idle,
  }),
);
rmSync(home, { recursive: true, force: true });

async function opened<T>(work: (library: Library, began: number) => Promise<T>): Promise<T> {
  const began = performance.now();
  const library = new Library({ home });
  try {
    return await work(library, began);
  } finally {
    library.close();
  }
}

/** Milliseconds from nothing to the first page of the gallery, by the route that a window asks. */
async function backendStart(folder: string): Promise<number> {
  const began = performance.now();
  const backend = await openBackend({ home: folder, name: 'bench', draw: false });
  const answer = await backend.call('pictures.list', { limit: 100 });
  const taken = performance.now() - began;
  await backend.close();
  if (!answer.ok) throw new Error(answer.error.message);
  return taken;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function timedNow(work: () => unknown): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

async function writeAdapters(count: number): Promise<void> {
  const folder = join(home, 'models');
  mkdirSync(folder, { recursive: true });
  const tensors: Record<string, TensorToWrite> = {};
  for (let module = 0; module < 264; module += 1) {
    const stem = `lora_unet_down_blocks_${module % 4}_attentions_${module % 3}_transformer_blocks_${module >> 4}_attn2_to_k${module >> 2}`;
    tensors[`${stem}.lora_down.weight`] = { dtype: 'F16', shape: [1, 768], data: new Uint8Array(1536) };
    tensors[`${stem}.lora_up.weight`] = { dtype: 'F16', shape: [32, 1], data: new Uint8Array(64) };
    tensors[`${stem}.alpha`] = { dtype: 'F16', shape: [], data: new Uint8Array(2) };
  }
  const tags = Object.fromEntries(
    Array.from({ length: 300 }, (_, index) => [`tag ${index} ${seedWord(index, 2)}`, 300 - index]),
  );
  const metadata = { ss_tag_frequency: JSON.stringify({ '10_style': tags }), ss_base_model_version: 'sd_v1' };
  const pattern = join(home, 'pattern.safetensors');
  await writeSafetensors(pattern, tensors, metadata);
  for (let index = 0; index < count; index += 1) {
    copyFileSync(pattern, join(folder, `adapter ${index}.safetensors`));
    if (index % 2 === 0) {
      writeFileSync(join(folder, `adapter ${index}.json`), JSON.stringify({ 'activation text': seedWord(index, 1) }));
    }
  }
}
