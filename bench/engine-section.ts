import { measure } from './measure.ts';
import { writeRealSize } from './real-size.ts';
import { gigabytes, type Row, seconds, times } from './results.ts';

interface LoadFigures {
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

export interface EngineOptions {
  /** Folder for checkpoints of real size. */
  dir: string;
  /** An interpreter with torch and diffusers. */
  python?: string | undefined;
  rounds: string;
}

/** Opening, memory and steps of a checkpoint of real size. */
export async function engineSection({ dir, python, rounds }: EngineOptions): Promise<Row[]> {
  const model = await writeRealSize('sd15', dir);
  const load = measure<LoadFigures>('load.ts', [model, '1', '512']);
  const rows: Row[] = [
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
  ];
  const step = measure<StepFigures>('unet-step.ts', [model, rounds]);
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
  if (python) {
    const torch = measure<{ secondsPerStep: number; torch: string; threads: number }>(
      'torch_step.py',
      [rounds],
      python,
    );
    rows.push({
      what: `the same step in diffusers, torch ${torch.torch}, ${torch.threads} threads`,
      measured: `${seconds(torch.secondsPerStep)}: ours takes ${times(step.secondsPerStep / torch.secondsPerStep)} of it`,
      bar: 'reported',
      holds: null,
    });
  }
  return rows;
}
