/**
 * Measures Impasto against itself, as ratios in one run, and writes `bench/RESULTS.md`.
 *
 *     npm run bench -- --dir DIR [--python PYTHON]
 *
 * DIR takes the random checkpoints of real size (2 GB for SD1.5) and is left as it is. PYTHON names an interpreter with
 * torch and diffusers, to measure the same step there.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeRealSize } from './real-size.ts';

const { values } = parseArgs({
  options: {
    dir: { type: 'string', default: join(tmpdir(), 'impasto-bench') },
    python: { type: 'string' },
    rounds: { type: 'string', default: '4' },
  },
});

interface Row {
  what: string;
  measured: string;
  bar: string;
  holds: boolean | null;
}

/** Runs a bench in a process of its own, so that one's memory is not another's, and reads its JSON line. */
function measure<T>(script: string, ...args: string[]): T {
  console.error(`· ${script} ${args.join(' ')}`);
  const program = script.endsWith('.py') ? (values.python ?? 'python3') : process.execPath;
  const text = execFileSync(program, [join(import.meta.dirname, script), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 20,
  });
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as T;
}

interface LoadFigures {
  file: number;
  openSeconds: number;
  textAndInitSeconds: number;
  sampleSeconds: number;
  decodeSeconds: number;
  fp32Bytes: number;
  peakAfterStep: number;
  peak: number;
  finite: boolean;
}

interface StepFigures {
  secondsPerStep: number;
  overhead: number;
  twoRowsToOne: number;
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
const seconds = (value: number) => `${value.toFixed(value < 1 ? 2 : 1)} s`;
const times = (value: number) => `${value.toFixed(value < 1.2 ? 3 : 2)}x`;

const rows: Row[] = [];
const model = await writeRealSize('sd15', values.dir);
const load = measure<LoadFigures>('load.ts', model, '1', '512');
rows.push(
  {
    what: 'open SD1.5 (fp16 .safetensors, header only)',
    measured: seconds(load.openSeconds),
    bar: 'under 1 s',
    holds: load.openSeconds < 1,
  },
  {
    what: 'peak memory after a UNet step at 512x512, against all weights in fp32',
    measured: `${gigabytes(load.peakAfterStep)} / ${gigabytes(load.fp32Bytes)} = ${times(load.peakAfterStep / load.fp32Bytes)}`,
    bar: '1.3x and activations',
    holds: load.peakAfterStep / load.fp32Bytes < 1.3,
  },
  {
    what: 'peak memory of the whole picture (VAE decode of 512x512 included)',
    measured: `${gigabytes(load.peak)} = ${times(load.peak / load.fp32Bytes)}`,
    bar: '1.3x and activations (about 1.3 GB)',
    holds: load.peak < 1.3 * load.fp32Bytes + 1.3e9,
  },
  {
    what: 'one SD1.5 picture end to end at 512x512 is numbers',
    measured: String(load.finite),
    bar: 'true',
    holds: load.finite,
  },
  { what: 'text encoding, its load included', measured: seconds(load.textAndInitSeconds), bar: '', holds: null },
  {
    what: 'UNet load (fp16 weights folded to fp32) and one step',
    measured: seconds(load.sampleSeconds),
    bar: '',
    holds: null,
  },
  { what: 'VAE decode of 512x512, its load included', measured: seconds(load.decodeSeconds), bar: '', holds: null },
);
const step = measure<StepFigures>('unet-step.ts', model, values.rounds);
rows.push(
  {
    what: 'UNet step of the pipeline against the bare session.run',
    measured: times(step.overhead),
    bar: 'at most 1.02x',
    holds: step.overhead <= 1.02,
  },
  {
    what: 'guided step (two rows) against a guidance-free one',
    measured: times(step.twoRowsToOne),
    bar: 'about 2x: one row costs half',
    holds: step.twoRowsToOne > 1.8 && step.twoRowsToOne < 2.2,
  },
  { what: 'UNet step, one row, 512x512', measured: seconds(step.secondsPerStep), bar: '', holds: null },
);
if (values.python) {
  const torch = measure<{ secondsPerStep: number; torch: string; threads: number }>('torch_step.py', values.rounds);
  rows.push({
    what: `the same step in diffusers, torch ${torch.torch}, ${torch.threads} threads`,
    measured: `${seconds(torch.secondsPerStep)}: ours takes ${times(step.secondsPerStep / torch.secondsPerStep)} of it`,
    bar: 'reported',
    holds: null,
  });
}

const verdict = (holds: boolean | null) => (holds === null ? '' : holds ? 'holds' : 'FALLS SHORT');
const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${gigabytes(totalmem())} memory, ${type()} ${release()}, Node ${process.version}`;
const table = rows.map(({ what, measured, bar, holds }) => `| ${what} | ${measured} | ${bar} | ${verdict(holds)} |`);
const text = `# Bench results

Written by \`npm run bench\` on ${new Date().toISOString().slice(0, 10)}: ${machine}.
Ratios are of one run; seconds are this machine's and vary with its load.

| what | measured | bar | |
|---|---|---|---|
${table.join('\n')}
`;
writeFileSync(join(import.meta.dirname, 'RESULTS.md'), text);
console.log(text);
process.exit(rows.some(({ holds }) => holds === false) ? 1 : 0);
