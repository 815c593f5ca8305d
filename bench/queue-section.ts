import { measure } from './measure.ts';
import { writeRealSize } from './real-size.ts';
import { milliseconds, percent, type Row, seconds, times } from './results.ts';

interface CostFigures {
  secondsPerJob: number;
  outsideEngineMilliseconds: number;
  writingMilliseconds: number;
  share: number;
  againstBare: number | null;
}

interface CrowdFigures {
  jobs: number;
  p50: Record<string, number>;
  p99: Record<string, number>;
}

interface IdleFigures {
  seconds: number;
  pictures: number;
  models: number;
  windows: number;
  share: number;
}

/** What the queue and the app around it cost. */
export async function queueSection(dir: string): Promise<Row[]> {
  const rows: Row[] = [];
  const cost = (name: string, args: string[]) => {
    const figures = measure<CostFigures>('queue-cost.ts', args);
    const { againstBare } = figures;
    const beside = againstBare === null ? '' : `; the job as a whole ${times(againstBare)} of one by the engine alone`;
    rows.push({
      what: `queue cost of a job, its file written and synced included: ${name}, ${seconds(figures.secondsPerJob)} in the engine`,
      measured: `${milliseconds(figures.outsideEngineMilliseconds)} (${milliseconds(figures.writingMilliseconds)} the file) = ${percent(figures.share)}${beside}`,
      bar: 'at most 3 %',
      holds: figures.share <= 0.03,
    });
  };
  cost('demo model, 128x128, 20 steps', ['demo', '128', '20', '6']);
  cost('demo model, a batch of 4', ['demo', '128', '20', '1', '4']);
  cost('SD1.5, 256x256, 6 steps, checkpoints every 5 s', [await writeRealSize('sd15', dir), '256', '6', '1']);
  const crowd = measure<CrowdFigures>('queue-10000.ts');
  for (const [name, p99] of Object.entries(crowd.p99)) {
    rows.push({
      what: `${crowd.jobs} jobs queued: ${name}`,
      measured: `p50 ${milliseconds(crowd.p50[name] ?? Number.NaN)}, p99 ${milliseconds(p99)}`,
      bar: 'p99 under 50 ms',
      holds: p99 < 50,
    });
  }
  const idle = measure<IdleFigures>('idle.ts');
  rows.push({
    what: `idle server over ${idle.seconds} s: ${idle.windows} window, 1000 jobs queued and paused, ${idle.pictures} pictures and ${idle.models} models watched`,
    measured: `${percent(idle.share)} of a core`,
    bar: 'near 0: under 1 %',
    holds: idle.share < 0.01,
  });
  return rows;
}
