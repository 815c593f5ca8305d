import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { ImpastoError } from '../../contract/errors.ts';
import { baseWeight } from '../../models/adapters/tools/base-weight.ts';
import { compareLayers } from '../../models/adapters/tools/compare.ts';
import { calm, findIntruders, type Intruder } from '../../models/adapters/tools/intruders.ts';
import { mergeLayers } from '../../models/adapters/tools/merge.ts';
import { layerSpectrum } from '../../models/adapters/tools/spectrum.ts';
import { readToolAdapter, type ToolAdapter, type ToolLayer } from '../../models/adapters/tools/tool-layer.ts';
import { type Cut, truncate } from '../../models/adapters/tools/truncate.ts';
import { type WrittenStyle, writeToolAdapter } from '../../models/adapters/tools/write-tool-adapter.ts';
import { triggerKey } from '../../models/adapters/training-facts.ts';
import type { Checkpoint } from '../../models/checkpoint/checkpoint.ts';
import { openCheckpoint } from '../../models/checkpoint/open.ts';
import { createOutput, type Output } from './output.ts';

type Options = Record<string, unknown>;

/** `impasto adapter ...`: look into adapter files, and make new ones of them. */
export function adapterCommand(): Command {
  return new Command('adapter')
    .description('look into LoRA files, cut, calm, merge, compare and convert them')
    .addCommand(
      reading('inspect', 'energy, effective rank and, with --intruders, intruder dimensions of each layer')
        .argument('<file>')
        .option('--intruders', "look for intruder dimensions against the model's weights (slow for wide layers)", false)
        .option('--layers <text>', 'only layers whose name contains this')
        .action(run(inspect)),
    )
    .addCommand(
      intruding(writing('calm', 'scale the intruder dimensions down')).argument('<file>').action(run(calmFile)),
    )
    .addCommand(
      cutting(writing('truncate', 'cut to a rank, or to a share of the energy'))
        .argument('<file>')
        .action(run(truncateFile)),
    )
    .addCommand(
      cutting(writing('merge', 'merge several into one: exactly, where neither --rank nor --energy is given'))
        .argument('<file...>')
        .option('--weights <list>', 'a weight for each, with commas between; by default 1')
        .action(run(merge)),
    )
    .addCommand(
      reading('compare', 'how far two pull at the same things, by layer')
        .argument('<file>')
        .argument('<other>')
        .action(run(compare)),
    )
    .addCommand(
      writing('convert', "write with other keys: kohya's (sd-scripts) or PEFT's")
        .argument('<file>')
        .action(run(convert)),
    );
}

function reading(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option(
      '--model <path>',
      'the checkpoint that it is for: needed for LoHa, LoKr and whole deltas, and for paths from kohya keys',
    )
    .option('--json', 'speak in JSON lines', false);
}

function writing(name: string, description: string): Command {
  return reading(name, description)
    .requiredOption('--out <file>', 'the .safetensors to write')
    .addOption(new Option('--keys <style>', "by default the input's").choices(['kohya', 'peft']))
    .option('--half', 'write 16-bit floats', false)
    .option('--force', 'write over a file that is there', false);
}

function cutting(command: Command): Command {
  return command
    .option('--rank <count>', 'to this rank')
    .option('--energy <share>', 'to the least rank of each layer that holds this share');
}

function intruding(command: Command): Command {
  return command
    .option('--factor <number>', 'what they are scaled by', '0.75')
    .option('--below <cosine>', "what counts as one: no cosine to the model's own singular vectors reaches this", '0.5')
    .option('--top <count>', 'how many of the largest singular vectors are looked at', '10');
}

interface Given {
  files: string[];
  options: Options;
  output: Output;
  checkpoint: Checkpoint | null;
}

/** Commander gives the arguments, then the options, then itself. */
function run(work: (given: Given) => Promise<void>): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const options = args.at(-2) as Options;
    const files = args
      .slice(0, -2)
      .flat()
      .map((file) => resolve(String(file)));
    if (typeof options.out === 'string') await refuseTaken(resolve(options.out), files, options.force === true);
    const checkpoint = typeof options.model === 'string' ? await openCheckpoint(resolve(options.model)) : null;
    await work({ files, options, output: createOutput(options.json === true), checkpoint });
  };
}

/** Before any work is done. An input is written over only where that is said. */
async function refuseTaken(out: string, files: readonly string[], force: boolean): Promise<void> {
  if (!/\.safetensors$/i.test(out)) {
    throw new ImpastoError('REQUEST_INVALID', `${out} does not end in .safetensors.`, 'Name the file so.');
  }
  if (force || !(await stat(out).catch(() => null))) return;
  const what = files.includes(out) ? 'is the file that is read' : 'is there already';
  throw new ImpastoError('REQUEST_INVALID', `${out} ${what}.`, 'Name another file, or say --force to write over it.');
}

async function read({ output, checkpoint }: Given, file = ''): Promise<ToolAdapter> {
  const adapter = await readToolAdapter(file, checkpoint);
  for (const warning of adapter.warnings) output.warning(warning);
  return adapter;
}

async function inspect(given: Given): Promise<void> {
  const { files, options, output } = given;
  const { layers } = await read(given, files[0]);
  const wanted = String(options.layers ?? '');
  let total = 0;
  const spectra = layers
    .filter(({ module }) => module.includes(wanted))
    .map((layer) => ({ layer, spectrum: layerSpectrum(layer) }));
  for (const { spectrum } of spectra) total += spectrum.energy;
  output.line(' energy  share  rank  effective  90/95/99%  layer');
  for (const { layer, spectrum } of spectra) {
    const { energy, effectiveRank, rankAt, rank } = spectrum;
    const intruders = options.intruders === true ? await intrudersOf(given, layer) : null;
    const places = intruders?.map(({ place, cosine }) => ({ place, cosine })) ?? null;
    output.event({ type: 'layer', ...spectrum, intruders: places });
    const share = total === 0 ? 0 : (100 * energy) / total;
    const cells = [
      energy.toPrecision(3).padStart(7),
      `${share.toFixed(1)}%`.padStart(6),
      String(rank).padStart(5),
      effectiveRank.toFixed(1).padStart(10),
      `${rankAt[90]}/${rankAt[95]}/${rankAt[99]}`.padStart(10),
    ];
    const found = intruders ? `  ${intruders.length} intruders` : '';
    output.line(`${cells.join(' ')}  ${layer.network}.${layer.module}${found}`);
  }
  output.event({ type: 'total', layers: spectra.length, energy: total });
  output.line(
    `${spectra.length} layers, energy ${total.toPrecision(4)} (sum of squared singular values at strength 1)`,
  );
}

async function intrudersOf({ checkpoint, options }: Given, layer: ToolLayer): Promise<Intruder[] | null> {
  if (!checkpoint) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      "Intruder dimensions are told against a model's weights.",
      'Say for which checkpoint it is (--model).',
    );
  }
  const weight = await baseWeight(checkpoint, layer);
  if (!weight) return null;
  const below = number(options.below ?? 0.5, '--below', 0, 1);
  return findIntruders(layer, weight, { below, top: whole(options.top ?? 10, '--top') });
}

async function calmFile(given: Given): Promise<void> {
  const { files, options, output } = given;
  const factor = number(options.factor, '--factor', 0, 1);
  const adapter = await read(given, files[0]);
  let [count, unread] = [0, 0];
  const layers: ToolLayer[] = [];
  for (const layer of adapter.layers) {
    const intruders = await intrudersOf(given, layer);
    if (!intruders) unread++;
    count += intruders?.length ?? 0;
    layers.push(calm(layer, intruders ?? [], factor));
  }
  if (unread > 0) {
    const message = `${unread} layers are as they were: the model's weights there cannot be read.`;
    output.warning({ code: 'ADAPTER_NEEDS_WEIGHTS', message });
  }
  await write(given, adapter, layers, `calmed ${count} intruder dimensions by ${factor}`, { intruders: count });
}

async function truncateFile(given: Given): Promise<void> {
  const cut = cutOf(given.options);
  if (!cut) throw new ImpastoError('REQUEST_INVALID', 'Nothing says how far to cut.', 'Give --rank or --energy.');
  const adapter = await read(given, given.files[0]);
  const { layers, kept, worst } = truncate(adapter.layers, cut);
  tellCut(given.output, kept, worst);
  await write(given, adapter, layers, `truncated to ${inWords(cut)}, energy kept ${kept.toFixed(6)}`, { kept, worst });
}

async function merge(given: Given): Promise<void> {
  const { files, options, output } = given;
  const cut = cutOf(options);
  const weights =
    options.weights === undefined
      ? files.map(() => 1)
      : String(options.weights)
          .split(',')
          .map((text) => number(text, '--weights', -100, 100));
  if (files.length < 2 || weights.length !== files.length) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `${files.length} files and ${weights.length} weights were given.`,
      'Give two files or more, and a weight for each.',
    );
  }
  const parts: { adapter: ToolAdapter; weight: number }[] = [];
  for (const [i, file] of files.entries())
    parts.push({ adapter: await read(given, file), weight: weights[i] as number });
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
  const cutTo = cut ? truncate(merged, cut) : null;
  if (cutTo) tellCut(output, cutTo.kept, cutTo.worst);
  const named = parts.map(({ adapter, weight }) => `${weight} ${basename(adapter.path)}`).join(' + ');
  const triggers = [...new Set(parts.flatMap(({ adapter }) => adapter.facts.triggers))].join(', ');
  const header = { ...first.adapter.header, ...(triggers ? { [triggerKey]: triggers } : {}) };
  await write(
    given,
    { ...first.adapter, header },
    cutTo?.layers ?? merged,
    `merged ${named}${cut ? `, truncated to ${inWords(cut)}` : ''}`,
    cutTo ? { kept: cutTo.kept, worst: cutTo.worst } : {},
  );
}

async function compare(given: Given): Promise<void> {
  const { files, output } = given;
  const [one, two] = [await read(given, files[0]), await read(given, files[1])];
  const { layers, cosine, alone } = compareLayers(one.layers, two.layers);
  output.line(' cosine  output angle  input angle  layer');
  for (const layer of layers) {
    output.event({ type: 'layer', ...layer });
    const angles = [layer.outputAngle, layer.inputAngle].map((angle) => `${angle.toFixed(1)}°`.padStart(12));
    output.line(`${layer.cosine.toFixed(3).padStart(7)}  ${angles.join(' ')}  ${layer.network}.${layer.module}`);
  }
  output.event({ type: 'overlap', cosine, alone, common: layers.length });
  output.line(
    `cosine of the two as a whole: ${cosine.toFixed(4)} (0 is orthogonal), over ${layers.length} common layers; ${alone.first} and ${alone.second} are of one alone`,
  );
}

async function convert(given: Given): Promise<void> {
  if (given.options.keys === undefined) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      'Nothing says to which keys to convert.',
      'Give --keys kohya or --keys peft.',
    );
  }
  const adapter = await read(given, given.files[0]);
  await write(
    given,
    adapter,
    adapter.layers,
    `keys converted from ${adapter.facts.keyStyle} to ${given.options.keys}`,
    {},
  );
}

function tellCut(output: Output, kept: number, worst: { module: string; kept: number } | null): void {
  const least = worst ? `; least in ${worst.module}: ${(100 * worst.kept).toFixed(2)}%` : '';
  output.line(`energy kept: ${(100 * kept).toFixed(2)}%${least}`);
}

async function write(
  { options, output, checkpoint }: Given,
  adapter: ToolAdapter,
  layers: readonly ToolLayer[],
  operation: string,
  told: Record<string, unknown>,
): Promise<void> {
  const out = resolve(String(options.out));
  const { keyStyle, family } = adapter.facts;
  const style = (options.keys as WrittenStyle | undefined) ?? (keyStyle === 'kohya' ? 'kohya' : 'peft');
  const sdxl = (checkpoint?.family ?? family) === 'sdxl';
  await writeToolAdapter(out, layers, sdxl, { style, half: options.half === true, header: adapter.header, operation });
  const { size } = await stat(out);
  const highest = layers.reduce((most, { rank }) => Math.max(most, rank), 0);
  output.event({
    type: 'written',
    path: out,
    bytes: size,
    layers: layers.length,
    highestRank: highest,
    operation,
    ...told,
  });
  output.line(`${operation}\n${out}: ${layers.length} layers, ranks up to ${highest}, ${(size / 1e6).toFixed(1)} MB`);
}

function cutOf({ rank, energy }: Options): Cut | null {
  if (rank !== undefined && energy !== undefined) {
    throw new ImpastoError('REQUEST_INVALID', 'Both --rank and --energy are given.', 'Give one of them.');
  }
  if (rank !== undefined) return { rank: whole(rank, '--rank') };
  return energy === undefined ? null : { energy: number(energy, '--energy', Number.MIN_VALUE, 1) };
}

const inWords = (cut: Cut): string => ('rank' in cut ? `rank ${cut.rank}` : `energy ${cut.energy}`);

function number(given: unknown, flag: string, least: number, most: number): number {
  const value = String(given).trim() === '' ? Number.NaN : Number(given);
  if (value >= least && value <= most) return value;
  const range = least === Number.MIN_VALUE ? `above 0, at most ${most}` : `from ${least} to ${most}`;
  throw new ImpastoError('REQUEST_INVALID', `${flag} is '${given}'.`, `Give a number ${range}.`);
}

function whole(given: unknown, flag: string): number {
  const value = number(given, flag, 1, 100_000);
  if (Number.isInteger(value)) return value;
  throw new ImpastoError('REQUEST_INVALID', `${flag} is '${given}'.`, 'Give a whole number from 1.');
}
