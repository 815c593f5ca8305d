import { measure } from './measure.ts';
import { writeRandomLora } from './random-lora.ts';
import { gigabytes, milliseconds, type Row, seconds, times } from './results.ts';

interface Change {
  /** Milliseconds of processor time before the next step, beyond those of no change; and all, less the text encoder's. */
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
  /** Ranks of side branches to measure, with commas between; `dora` for DoRA of rank 32. */
  ranks: string;
}

/** What a change between two pictures costs before the next step. */
export function adapterChanges({ dir, rounds }: AdaptersOptions): Row[] {
  const changes = measure<Record<string, Change>>('adapters.ts', ['changes', dir, rounds]);
  return Object.entries(changes).map(([name, { extra, whole, sessions }]) => ({
    what: `five LoRAs of rank 32 at 512x512, another ${name}: processor time before the next step, beyond the same request again`,
    measured: `${milliseconds(extra)} (of ${milliseconds(whole)} between request and step, less the text encoder's run), ${sessions} sessions built`,
    bar: 'under 5 ms, no session',
    holds: extra < 5 && sessions === 0,
  }));
}

/** What side branches cost a step, each rank in a process of its own: two sessions of the UNet are all that fits. */
export function adapterBranches({ dir, rounds, ranks }: AdaptersOptions): Row[] {
  return ranks.split(',').flatMap((rank) => {
    const branches = measure<Record<string, number>>('adapters.ts', ['branches', dir, rounds, rank]);
    return Object.entries(branches).map(([name, ratio]) => ({
      what: `UNet step at 256x256 with side branches, ${name}, against the bare step (processor time)`,
      measured: times(ratio),
      bar: 'reported',
      holds: null,
    }));
  });
}

export function adapterMemory({ dir }: AdaptersOptions): Row[] {
  // Files are written by a process that is not measured.
  measure('adapters.ts', ['write', dir]);
  const peak = (count: string) => measure<{ peak: number }>('adapter-memory.ts', [dir, count]).peak;
  const [none, five] = [peak('0'), peak('5')];
  return [
    {
      what: 'peak memory to the end of a step at 512x512 with five LoRAs of rank 32, against none',
      measured: `${gigabytes(five)} / ${gigabytes(none)} = ${times(five / none)}`,
      bar: 'at most 1.1x',
      holds: five / none <= 1.1,
    },
  ];
}

export function adapterOpening({ dir }: AdaptersOptions): Row[] {
  const opening = measure<Record<string, Opening>>('adapters.ts', ['opening', dir]);
  return Object.entries(opening).map(([name, { seconds: wall, processorSeconds, bytes }]) => ({
    what: `opening ${name}, ${gigabytes(bytes)} of factors in memory`,
    measured: `${seconds(processorSeconds)} of processor time (${seconds(wall)})`,
    bar: 'under 1 s',
    holds: processorSeconds < 1,
  }));
}

/** The same changes in diffusers. */
export async function adaptersInDiffusers({ dir, python }: AdaptersOptions): Promise<Row[] | null> {
  if (!python) return null;
  const paths = await Promise.all([0, 1, 2, 3, 4].map((seed) => writeRandomLora(dir, 32, seed)));
  const theirs = measure<Record<string, number>>('torch_adapters.py', paths, python);
  return Object.entries(theirs).map(([name, value]) => ({
    what: `diffusers, five LoRAs of rank 32: ${name}`,
    measured: `${seconds(value)} of processor time`,
    bar: 'reported',
    holds: null,
  }));
}
