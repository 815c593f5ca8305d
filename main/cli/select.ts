import { resolve } from 'node:path';
import { Command } from 'commander';
import type { Click } from '../../contract/click-select.ts';
import type { Segment, SegmentRequest } from '../../contract/engine.ts';
import { ImpastoError } from '../../contract/errors.ts';
import { selectInPicture } from '../engine/image/select-in-picture.ts';
import { EngineClient } from '../engine/process/engine-client.ts';
import { writeFileAtomic } from '../library/files/atomic-write.ts';
import { createOutput } from './output.ts';

const collect = (value: string, known: string[] = []): string[] => [...known, value];

/** `impasto select`: a mask by clicks. */
export function selectCommand(): Command {
  return new Command('select')
    .description('select a thing in a picture by clicks: writes a mask, white where it is')
    .argument('<picture>', 'a PNG, JPEG, WebP, AVIF or TIFF file')
    .requiredOption('--click <x,y>', 'a place on it, in pixels; as often as you like', collect)
    .option('--not <x,y>', 'a place that is not of it', collect)
    .option('--edges <number>', 'how closely it keeps to changes of colour, 0 to 1000 (default: 60)')
    .option('--no-border', "the picture's edge is not outside: what is meant may reach it anywhere")
    .option(
      '--model <folder>',
      'by a Segment Anything model instead: a folder with its encoder and decoder as ONNX files',
    )
    .requiredOption('--out <file>', 'the mask to write, a .png')
    .option('--force', 'write over a file that is there', false)
    .option('--json', 'speak in JSON lines', false)
    .action(select);
}

interface Options {
  click: string[];
  not?: string[];
  edges?: string;
  border: boolean;
  model?: string;
  out: string;
  force: boolean;
  json: boolean;
}

async function select(picture: string, options: Options): Promise<void> {
  const output = createOutput(options.json);
  const path = resolve(options.out);
  if (!/\.png$/i.test(path)) throw invalid(`${path} does not end in .png.`, 'Name the mask so.');
  const { model } = options;
  if (model !== undefined && (options.edges !== undefined || !options.border)) {
    throw invalid('--edges and --no-border are of selecting without a model.', 'Leave them out, or --model.');
  }
  const edges = Number(options.edges ?? '60');
  if (!(options.edges?.trim() !== '' && edges >= 0 && edges <= 1000)) {
    throw invalid(`--edges is '${options.edges}'.`, 'Give a number from 0 to 1000.');
  }
  const clicks: Click[] = [
    ...options.click.map((text) => ({ ...place('--click', text), inside: true })),
    ...(options.not ?? []).map((text) => ({ ...place('--not', text), inside: false })),
  ];
  const { png, width, height, share, score } =
    model === undefined
      ? { ...(await selectInPicture({ path: resolve(picture), clicks, edges, border: options.border })), score: null }
      : await segment({ picture: resolve(picture), model: resolve(model), clicks });
  const written = await writeFileAtomic(path, png, { overwrite: options.force });
  output.event({ type: 'mask', path: written, width, height, share, score });
  const sure =
    score === null ? '' : `; the model expects ${(100 * Math.min(1, Math.max(0, score))).toFixed(0)}% to fit`;
  output.line(`${written}: ${(100 * share).toFixed(1)}% of ${width}x${height} selected${sure}`);
}

async function segment(request: SegmentRequest): Promise<Segment> {
  const client = await EngineClient.start();
  try {
    return await client.segment(request);
  } finally {
    await client.stop();
  }
}

function place(flag: string, text: string): { x: number; y: number } {
  const [x, y] = /^\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*$/.exec(text)?.slice(1).map(Number) ?? [];
  if (x !== undefined && y !== undefined && Number.isFinite(x + y)) return { x, y };
  throw invalid(`${flag} is '${text}'.`, `Give two numbers, e.g. ${flag} 120,80.`);
}

function invalid(message: string, remedy: string): ImpastoError {
  return new ImpastoError('REQUEST_INVALID', message, remedy);
}
