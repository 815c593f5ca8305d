import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { adapterToolInputs, layerName, type SaveAdapter, type WrittenAdapter } from '../../contract/adapter-tools.ts';
import { byteSize } from '../../contract/byte-size.ts';
import { ImpastoError } from '../../contract/errors.ts';
import type { Cut } from '../../contract/spectrum.ts';
import {
  calmFile as calm,
  compare,
  convert,
  intruders,
  merge,
  spectrum,
  truncateFile as truncate,
} from '../handlers/adapter-tools.ts';
import { Library } from '../library/library.ts';
import { suggestFromLibrary } from '../library/suggest-adapters.ts';
import { impastoPaths } from '../queue/paths.ts';
import { createOutput, type Output } from './output.ts';

type Options = Record<string, unknown>;

const { top, below } = adapterToolInputs.intruders.parse({ path: '.', model: '.' });
const intruderDefaults = { top, below };

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
        .action(run(mergeFiles)),
    )
    .addCommand(
      reading('compare', 'how far two pull at the same things, by layer')
        .argument('<file>')
        .argument('<other>')
        .action(run(compareFiles)),
    )
    .addCommand(
      writing('convert', "write with other keys: kohya's (sd-scripts) or PEFT's")
        .argument('<file>')
        .action(run(convertFile)),
    )
    .addCommand(
      new Command('suggest')
        .description("which of the library's adapters a prompt speaks of; nothing is applied")
        .argument('<prompt>')
        .addOption(new Option('--family <family>', 'only for this base').choices(['sd1', 'sd2', 'sdxl']))
        .option('--limit <count>', 'at most so many', '5')
        .option('--home <folder>', "folder of Impasto's data")
        .option('--json', 'speak in JSON lines', false)
        .action(suggest),
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
  /** Where `--model` names one. */
  model: { model: string } | Record<string, never>;
}

/** Commander gives the arguments, then the options, then itself. */
function run(work: (given: Given) => Promise<void>): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const options = args.at(-2) as Options;
    const files = args.slice(0, -2).flat().map(String);
    const model = typeof options.model === 'string' ? { model: options.model } : {};
    await work({ files, options, output: createOutput(options.json === true), model });
  };
}

/** The file to write, as the flags say it. */
function saveOf({ out, keys, half, force }: Options): SaveAdapter {
  const path = String(out);
  if (!/\.safetensors$/i.test(path)) {
    throw new ImpastoError('REQUEST_INVALID', `${resolve(path)} does not end in .safetensors.`, 'Name the file so.');
  }
  return {
    path,
    ...(keys === undefined ? {} : { keys: keys as 'kohya' | 'peft' }),
    half: half === true,
    overwrite: force === true,
  };
}

function modelOf({ model }: Given): string {
  if (typeof model.model === 'string') return model.model;
  throw new ImpastoError(
    'REQUEST_INVALID',
    "Intruder dimensions are told against a model's weights.",
    'Say for which checkpoint it is (--model).',
  );
}

async function inspect(given: Given): Promise<void> {
  const { files, options, output, model } = given;
  const path = files[0] ?? '';
  const against = options.intruders === true ? modelOf(given) : null;
  const { layers, warnings } = await spectrum({ path, ...model });
  for (const warning of warnings) output.warning(warning);
  const shown = layers.filter(({ module }) => module.includes(String(options.layers ?? '')));
  const total = shown.reduce((sum, { energy }) => sum + energy, 0);
  output.line(' energy  share  rank  effective  90/95/99%  layer');
  for (const layer of shown) {
    const { energy, effectiveRank, rankAt, rank } = layer;
    const found =
      against === null
        ? null
        : (await intruders({ path, model: against, ...intruderDefaults, layers: [layerName(layer)] })).layers[0];
    const list = found?.intruders ?? null;
    const places = list?.map(({ place, cosine }) => ({ place, cosine })) ?? null;
    output.event({ type: 'layer', ...layer, intruders: places });
    const share = total === 0 ? 0 : (100 * energy) / total;
    const cells = [
      energy.toPrecision(3).padStart(7),
      `${share.toFixed(1)}%`.padStart(6),
      String(rank).padStart(5),
      effectiveRank.toFixed(1).padStart(10),
      `${rankAt[90]}/${rankAt[95]}/${rankAt[99]}`.padStart(10),
    ];
    output.line(`${cells.join(' ')}  ${layerName(layer)}${list ? `  ${list.length} intruders` : ''}`);
  }
  output.event({ type: 'total', layers: shown.length, energy: total });
  output.line(`${shown.length} layers, energy ${total.toPrecision(4)} (sum of squared singular values at strength 1)`);
}

async function calmFile(given: Given): Promise<void> {
  const { files, options } = given;
  const factor = number(options.factor, '--factor', 0, 1);
  const below = number(options.below, '--below', 0, 1);
  const top = whole(options.top, '--top');
  const save = saveOf(options);
  const written = await calm({ path: files[0] ?? '', model: modelOf(given), factor, below, top, save });
  tell(given, written);
}

async function truncateFile(given: Given): Promise<void> {
  const { files, options, model } = given;
  const cut = cutOf(options);
  if (!cut) throw new ImpastoError('REQUEST_INVALID', 'Nothing says how far to cut.', 'Give --rank or --energy.');
  tell(given, await truncate({ path: files[0] ?? '', ...model, cut, save: saveOf(options) }));
}

async function mergeFiles(given: Given): Promise<void> {
  const { files, options, model } = given;
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
  const parts = files.map((path, at) => ({ path, weight: weights[at] as number }));
  tell(given, await merge({ parts, ...model, ...(cut ? { cut } : {}), save: saveOf(options) }));
}

async function compareFiles({ files, output, model }: Given): Promise<void> {
  const found = await compare({ path: files[0] ?? '', other: files[1] ?? '', ...model });
  const { layers, cosine, alone, warnings } = found;
  for (const warning of warnings) output.warning(warning);
  output.line(' cosine  output angle  input angle  layer');
  for (const layer of layers) {
    output.event({ type: 'layer', ...layer });
    const angles = [layer.outputAngle, layer.inputAngle].map((angle) => `${angle.toFixed(1)}°`.padStart(12));
    output.line(`${layer.cosine.toFixed(3).padStart(7)}  ${angles.join(' ')}  ${layerName(layer)}`);
  }
  output.event({ type: 'overlap', cosine, alone, common: layers.length });
  output.line(
    `cosine of the two as a whole: ${cosine.toFixed(4)} (0 is orthogonal), over ${layers.length} common layers; ${alone.first} and ${alone.second} are of one alone`,
  );
}

async function convertFile(given: Given): Promise<void> {
  const { files, options, model } = given;
  const save = saveOf(options);
  const { keys } = save;
  if (keys === undefined) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      'Nothing says to which keys to convert.',
      'Give --keys kohya or --keys peft.',
    );
  }
  tell(given, await convert({ path: files[0] ?? '', ...model, save: { ...save, keys } }));
}

async function suggest(prompt: string, options: Options): Promise<void> {
  const output = createOutput(options.json === true);
  const limit = whole(options.limit, '--limit');
  const library = new Library({ home: impastoPaths(options.home as string | undefined).home });
  try {
    for (const warning of library.warnings) output.warning(warning);
    const found = await suggestFromLibrary(
      library.models,
      prompt,
      options.family as 'sd1' | 'sd2' | 'sdxl' | undefined,
    );
    for (const suggestion of found.slice(0, limit)) {
      output.event({ type: 'suggestion', ...suggestion });
      const { name, strength, score, words } = suggestion;
      output.line(`<lora:${name}:${strength}>  score ${score.toFixed(2)}, by ${words.join(', ')}`);
    }
    if (found.length === 0)
      output.line('no adapter of the library speaks of this; impasto library scan looks for new ones');
  } finally {
    library.close();
  }
}

/** What was written, and what it cost. */
function tell({ output }: Given, { warnings, kept, worst, intruders, ...written }: WrittenAdapter): void {
  for (const warning of warnings) output.warning(warning);
  const { path, bytes, layers, highestRank, operation } = written;
  const cost = { ...(kept === null ? {} : { kept, worst }), ...(intruders === null ? {} : { intruders }) };
  output.event({ type: 'written', ...written, ...cost });
  if (kept !== null) {
    const least = worst ? `; least in ${worst.module}: ${(100 * worst.kept).toFixed(2)}%` : '';
    output.line(`energy kept: ${(100 * kept).toFixed(2)}%${least}`);
  }
  output.line(`${operation}\n${path}: ${layers} layers, ranks up to ${highestRank}, ${byteSize(bytes)}`);
}

function cutOf({ rank, energy }: Options): Cut | null {
  if (rank !== undefined && energy !== undefined) {
    throw new ImpastoError('REQUEST_INVALID', 'Both --rank and --energy are given.', 'Give one of them.');
  }
  if (rank !== undefined) return { rank: whole(rank, '--rank') };
  return energy === undefined ? null : { energy: number(energy, '--energy', Number.MIN_VALUE, 1) };
}

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
