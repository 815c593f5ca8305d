import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { z } from 'zod';
import {
  type AdapterToolInput,
  type adapterToolOutputs,
  type LayerIntruders,
  layerName,
  type SaveAdapter,
  type WrittenAdapter,
} from '../../contract/adapter-tools.ts';
import type { EngineWarning } from '../../contract/engine.ts';
import { ImpastoError } from '../../contract/errors.ts';
import type { Cut } from '../../contract/spectrum.ts';
import { baseWeight } from '../../models/adapters/tools/base-weight.ts';
import { compareLayers } from '../../models/adapters/tools/compare.ts';
import { calm, findIntruders, type Intruder } from '../../models/adapters/tools/intruders.ts';
import { mergeLayers } from '../../models/adapters/tools/merge.ts';
import { layerSpectrum } from '../../models/adapters/tools/spectrum.ts';
import { readToolAdapter, type ToolAdapter, type ToolLayer } from '../../models/adapters/tools/tool-layer.ts';
import { truncate } from '../../models/adapters/tools/truncate.ts';
import { type WrittenStyle, writeToolAdapter } from '../../models/adapters/tools/write-tool-adapter.ts';
import { triggerKey } from '../../models/adapters/training-facts.ts';
import type { Checkpoint } from '../../models/checkpoint/checkpoint.ts';
import { openCheckpoint } from '../../models/checkpoint/open.ts';
import { modelPath } from './model-path.ts';

/**
 * Looks into adapter files and makes new ones of them: what the routes `adapters.*` and the command `impasto adapter` do. They
 * compute for seconds up to minutes, so the routes call them in a thread (`background/`).
 */

type Answer<Tool extends keyof typeof adapterToolOutputs> = z.infer<(typeof adapterToolOutputs)[Tool]>;

/** What was read and found last: the next question is mostly of the same file. */
let lastRead: { key: string; adapter: ToolAdapter; intruders: Map<string, Intruder[] | null> } | null = null;

/** @throws ImpastoError what opening an adapter or a checkpoint throws, and `ADAPTER_INVALID` for DoRA */
export async function spectrum({ path, model }: AdapterToolInput<'spectrum'>): Promise<Answer<'spectrum'>> {
  const { layers, warnings } = await read(path, await checkpointOf(model));
  return { layers: layers.map(layerSpectrum), warnings };
}

export async function intruders(input: AdapterToolInput<'intruders'>): Promise<Answer<'intruders'>> {
  const checkpoint = await openCheckpoint(modelPath(input.model).path);
  const { layers, warnings } = await read(input.path, checkpoint);
  const found: LayerIntruders[] = [];
  for (const layer of chosen(layers, input.layers)) {
    const list = await intrudersOf(checkpoint, layer, input);
    found.push({
      network: layer.network,
      module: layer.module,
      intruders: list?.map(({ place, value, cosine }) => ({ place, value, cosine })) ?? null,
    });
  }
  return { layers: found, warnings };
}

export async function truncateFile(input: AdapterToolInput<'truncate'>): Promise<WrittenAdapter> {
  await refuseTaken(input.save, [input.path]);
  const checkpoint = await checkpointOf(input.model);
  const adapter = await read(input.path, checkpoint);
  const { layers, kept, worst } = truncate(adapter.layers, input.cut);
  const operation = `truncated to ${inWords(input.cut)}, energy kept ${kept.toFixed(6)}`;
  return await write(input.save, { adapter, layers, checkpoint, operation }, { kept, worst });
}

export async function calmFile(input: AdapterToolInput<'calm'>): Promise<WrittenAdapter> {
  await refuseTaken(input.save, [input.path]);
  const checkpoint = await openCheckpoint(modelPath(input.model).path);
  const adapter = await read(input.path, checkpoint);
  const wanted = new Set(chosen(adapter.layers, input.layers));
  let [count, unread] = [0, 0];
  const layers: ToolLayer[] = [];
  for (const layer of adapter.layers) {
    const list = wanted.has(layer) ? await intrudersOf(checkpoint, layer, input) : [];
    if (!list) unread++;
    count += list?.length ?? 0;
    layers.push(calm(layer, list ?? [], input.factor));
  }
  const message = `${unread} layers are as they were: the model's weights there cannot be read.`;
  const warnings = unread > 0 ? [{ code: 'ADAPTER_NEEDS_WEIGHTS', message }] : [];
  const operation = `calmed ${count} intruder dimensions by ${input.factor}`;
  return await write(input.save, { adapter, layers, checkpoint, operation, warnings }, { intruders: count });
}

export async function merge(input: AdapterToolInput<'merge'>): Promise<WrittenAdapter> {
  await refuseTaken(
    input.save,
    input.parts.map(({ path }) => path),
  );
  const checkpoint = await checkpointOf(input.model);
  const parts: { adapter: ToolAdapter; weight: number }[] = [];
  for (const { path, weight } of input.parts) parts.push({ adapter: await read(path, checkpoint), weight });
  const [first] = parts as [(typeof parts)[number]];
  const families = new Set(parts.map(({ adapter }) => adapter.facts.family).filter((family) => family !== null));
  if (families.size > 1) {
    throw new ImpastoError(
      'ADAPTER_WRONG_BASE',
      `The adapters are for ${[...families].join(' and ')}.`,
      'Merge adapters of one base only.',
    );
  }
  const merged = mergeLayers(parts.map(({ adapter, weight }) => ({ layers: adapter.layers, weight })));
  const cut = input.cut ? truncate(merged, input.cut) : null;
  const named = parts.map(({ adapter, weight }) => `${weight} ${basename(adapter.path)}`).join(' + ');
  const triggers = [...new Set(parts.flatMap(({ adapter }) => adapter.facts.triggers))].join(', ');
  const header = { ...first.adapter.header, ...(triggers ? { [triggerKey]: triggers } : {}) };
  const warnings = parts.slice(1).flatMap(({ adapter }) => adapter.warnings);
  return await write(
    input.save,
    {
      adapter: { ...first.adapter, header },
      layers: cut?.layers ?? merged,
      checkpoint,
      operation: `merged ${named}${input.cut ? `, truncated to ${inWords(input.cut)}` : ''}`,
      warnings,
    },
    cut ? { kept: cut.kept, worst: cut.worst } : {},
  );
}

export async function compare({ path, other, model }: AdapterToolInput<'compare'>): Promise<Answer<'compare'>> {
  const checkpoint = await checkpointOf(model);
  const one = await read(path, checkpoint);
  const two = await read(other, checkpoint);
  return { ...compareLayers(one.layers, two.layers), warnings: [...one.warnings, ...two.warnings] };
}

export async function convert(input: AdapterToolInput<'convert'>): Promise<WrittenAdapter> {
  await refuseTaken(input.save, [input.path]);
  const checkpoint = await checkpointOf(input.model);
  const adapter = await read(input.path, checkpoint);
  const operation = `keys converted from ${adapter.facts.keyStyle} to ${input.save.keys}`;
  return await write(input.save, { adapter, layers: adapter.layers, checkpoint, operation });
}

async function checkpointOf(model: string | undefined): Promise<Checkpoint | null> {
  return model === undefined ? null : await openCheckpoint(modelPath(model).path);
}

async function read(given: string, checkpoint: Checkpoint | null): Promise<ToolAdapter> {
  const path = resolve(given);
  const { mtimeMs, size } = await stat(path).catch(() => ({ mtimeMs: 0, size: 0 }));
  const key = JSON.stringify([path, mtimeMs, size, checkpoint?.path ?? null]);
  if (lastRead?.key !== key) {
    lastRead = { key, adapter: await readToolAdapter(path, checkpoint), intruders: new Map() };
  }
  return lastRead.adapter;
}

async function intrudersOf(
  checkpoint: Checkpoint,
  layer: ToolLayer,
  { top, below }: Pick<AdapterToolInput<'intruders'>, 'top' | 'below'>,
): Promise<Intruder[] | null> {
  const key = JSON.stringify([layerName(layer), top, below]);
  const found = lastRead?.intruders;
  const known = found?.get(key);
  if (known !== undefined) return known;
  const weight = await baseWeight(checkpoint, layer);
  const list = weight && findIntruders(layer, weight, { below, top });
  found?.set(key, list);
  return list;
}

/** @throws ImpastoError `REQUEST_INVALID` for a layer that is not there */
function chosen(layers: readonly ToolLayer[], names: readonly string[] | undefined): ToolLayer[] {
  if (!names) return [...layers];
  const known = new Map(layers.map((layer) => [layerName(layer), layer]));
  return names.map((name) => {
    const layer = known.get(name);
    if (layer) return layer;
    throw new ImpastoError(
      'REQUEST_INVALID',
      `The adapter has no layer ${JSON.stringify(name)}.`,
      'Look at its layers again: the file may have changed.',
    );
  });
}

/** Before any work is done. An input is written over only where that is said. */
async function refuseTaken({ path, overwrite }: SaveAdapter, read: readonly string[]): Promise<void> {
  const out = resolve(path);
  if (overwrite || !(await stat(out).catch(() => null))) return;
  const what = read.some((file) => resolve(file) === out) ? 'is the file that is read' : 'is there already';
  throw new ImpastoError('FILE_EXISTS', `${out} ${what}.`, 'Name another file, or say that it is to be written over.');
}

interface Making {
  /** Whose header is carried over. */
  adapter: ToolAdapter;
  layers: readonly ToolLayer[];
  checkpoint: Checkpoint | null;
  operation: string;
  warnings?: readonly EngineWarning[];
}

async function write(
  { path, keys, half }: SaveAdapter,
  { adapter, layers, checkpoint, operation, warnings = [] }: Making,
  told: Partial<Pick<WrittenAdapter, 'kept' | 'worst' | 'intruders'>> = {},
): Promise<WrittenAdapter> {
  const out = resolve(path);
  const { keyStyle, family } = adapter.facts;
  const style: WrittenStyle = keys ?? (keyStyle === 'kohya' ? 'kohya' : 'peft');
  const sdxl = (checkpoint?.family ?? family) === 'sdxl';
  await writeToolAdapter(out, layers, sdxl, { style, half, header: adapter.header, operation });
  return {
    path: out,
    bytes: (await stat(out)).size,
    layers: layers.length,
    highestRank: layers.reduce((most, { rank }) => Math.max(most, rank), 0),
    operation,
    kept: null,
    worst: null,
    intruders: null,
    ...told,
    warnings: [...adapter.warnings, ...warnings],
  };
}

const inWords = (cut: Cut): string => ('rank' in cut ? `rank ${cut.rank}` : `energy ${cut.energy}`);
