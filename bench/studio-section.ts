import { findChromium } from '../e2e/studio.ts';
import { measure } from './measure.ts';
import { milliseconds, type Row, seconds } from './results.ts';

interface Frames {
  perSecond: number;
  p50: number;
  p99: number;
  longTasks: number[];
  longestScript: number;
}

type StudioFigures = Record<'rest' | 'small' | 'large' | 'whole' | 'drawing' | 'both', Frames> & {
  startSeconds: number;
  firstPictureSeconds: number;
};

/** The window; null where there is no browser to measure it in, which is said. */
export function studioSection(): Row[] | null {
  const found = findChromium();
  if ('missing' in found) {
    console.error(`The window is not measured: ${found.missing}.`);
    return null;
  }
  const figures = measure<StudioFigures>('studio-frames.ts');
  const { rest } = figures;
  const row = (what: string, frames: Frames, share: number | null): Row => ({
    what,
    measured: `${frames.perSecond.toFixed(1)} frames a second (p50 ${milliseconds(frames.p50)}, p99 ${milliseconds(frames.p99)}), ${longTasks(frames)}`,
    bar:
      share === null ? 'no task over 50 ms' : `${Math.round(share * 100)} % of the frames at rest, no task over 50 ms`,
    holds: frames.longTasks.length === 0 && (share === null || frames.perSecond >= share * rest.perSecond),
  });
  return [
    { what: 'server and window, until it can be used', measured: seconds(figures.startSeconds), bar: '', holds: null },
    { what: 'start to first picture', measured: seconds(figures.firstPictureSeconds), bar: '', holds: null },
    row('at rest, a picture of 2048x2048 on the canvas', rest, null),
    row('painting a mask on 2048x2048, brush of 48 px', figures.small, 0.95),
    row('painting a mask on 2048x2048, brush of 251 px', figures.large, 0.95),
    row('inverting, growing and undoing all of that mask', figures.whole, null),
    row('while the engine draws, with previews', figures.drawing, null),
    row('painting while the engine draws', figures.both, null),
  ];
}

/** Tasks as the clock has it: on a busy machine they wait for a core too, and the scripts in them are the window's share. */
function longTasks({ longTasks: tasks, longestScript }: Frames): string {
  if (tasks.length === 0) return 'no long task';
  return `${tasks.length} over 50 ms, the longest ${milliseconds(Math.max(...tasks))}, of scripts at most ${milliseconds(longestScript)}`;
}
