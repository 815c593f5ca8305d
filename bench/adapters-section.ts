import { measure } from './measure.ts';
import { writeRandomLora } from './random-lora.ts';
import { gigabytes, milliseconds, type Row, seconds, times } from './results.ts';

interface Change {
  /** Milliseconds before the next step, beyond those of no change; and all of them, less the text encoder's. */
  extra: number;
  whole: number;
  sessions: number;
}

interface Opening {
  seconds: number;
  processorSeconds: number;
  bytes: number;
}

export interface AdaptersOptions {
  /** Folder for a checkpoint of real size and random LoRAs for it. */
  dir: string;
  /** An interpreter with torch, diffusers and peft. */
  python?: string | undefined;
  rounds: string;
}

/** Random LoRAs on SD1.5: changes between two pictures, side branches, memory and opening. */
export async function adaptersSection({ dir, python, rounds }: AdaptersOptions): Promise<Row[]> {
  const rows: Row[] = [];
  const changes = measure<Record<string, Change>>('adapters.ts', ['changes', dir, rounds]);
  for (const [name, { extra, whole, sessions }] of Object.entries(changes)) {
    rows.push({
      what: `five LoRAs of rank 32, another ${name}: before the next step, beyond no change`,
      measured: `${milliseconds(extra)} (of ${milliseconds(whole)} between request and step, less the text encoder's run), ${sessions} sessions built`,
      bar: 'under 5 ms, no session',
      holds: extra < 5 && sessions === 0,
    });
  }
  const branches = measure<Record<string, number>>('adapters.ts', ['branches', dir, rounds]);
  for (const [name, ratio] of Object.entries(branches)) {
    rows.push({
      what: `UNet step at 256x256 with side branches, ${name}, against the bare step (processor time)`,
      measured: times(ratio),
      bar: 'reported',
      holds: null,
    });
  }
  const [none, five] = ['0', '5'].map((count) => measure<{ peak: number }>('adapter-memory.ts', [dir, count]).peak);
  const more = (five as number) / (none as number);
  rows.push({
    what: 'peak memory to the end of a step at 512x512 with five LoRAs of rank 32, against none',
    measured: `${gigabytes(five as number)} / ${gigabytes(none as number)} = ${times(more)}`,
    bar: 'at most 1.1x',
    holds: more <= 1.1,
  });
  const opening = measure<Record<string, Opening>>('adapters.ts', ['opening', dir]);
  for (const [name, { seconds: wall, processorSeconds, bytes }] of Object.entries(opening)) {
    rows.push({
      what: `opening ${name}, ${gigabytes(bytes)} of factors in fp32`,
      measured: `${seconds(wall)} (${seconds(processorSeconds)} of processor time)`,
      bar: 'reported',
      holds: null,
    });
  }
  if (python) {
    const paths = await Promise.all([0, 1, 2, 3, 4].map((seed) => writeRandomLora(dir, 32, seed)));
    const theirs = measure<Record<string, number>>('torch_adapters.py', paths, python);
    for (const [name, value] of Object.entries(theirs)) {
      rows.push({ what: `diffusers, five LoRAs of rank 32: ${name}`, measured: seconds(value), bar: '', holds: null });
    }
  }
  return rows;
}
