import { findChromium } from '../e2e/studio.ts';
import type { Frames } from './frames.ts';
import { measure } from './measure.ts';
import { milliseconds, type Row, seconds } from './results.ts';

type StudioFigures = Record<'rest' | 'small' | 'large' | 'whole' | 'drawing' | 'both', Frames> & {
  startSeconds: number;
  firstPictureSeconds: number;
};

type GalleryFigures = Record<'rest' | 'byWheel' | 'down' | 'up' | 'search', Frames> & {
  count: number;
  firstSeconds: number;
  /** Milliseconds. */
  atTheEnd: number;
  /** Elements in the page. */
  nodes: number;
};

/** The window; null where there is no browser to measure it in, which is said. */
export function studioSection(): Row[] | null {
  const found = findChromium();
  if ('missing' in found) {
    console.error(`The window is not measured: ${found.missing}.`);
    return null;
  }
  const figures = measure<StudioFigures>('studio-frames.ts');
  const gallery = measure<GalleryFigures>('studio-gallery.ts');
  const row = (what: string, frames: Frames, share: number | null, of: { rest: Frames } = figures): Row => ({
    what,
    measured: `${frames.perSecond.toFixed(1)} frames a second (p50 ${milliseconds(frames.p50)}, p99 ${milliseconds(frames.p99)}), ${longTasks(frames)}`,
    bar:
      share === null
        ? 'no task over 50 ms of its thread'
        : `${Math.round(share * 100)} % of the frames at rest, no task over 50 ms of its thread`,
    holds: frames.longestTask <= 50 && (share === null || frames.perSecond >= share * of.rest.perSecond),
  });
  return [
    { what: 'server and window, until it can be used', measured: seconds(figures.startSeconds), bar: '', holds: null },
    { what: 'start to first picture', measured: seconds(figures.firstPictureSeconds), bar: '', holds: null },
    row('at rest, a picture of 2048x2048 on the canvas', figures.rest, null),
    row('painting a mask on 2048x2048, brush of 48 px', figures.small, 0.95),
    row('painting a mask on 2048x2048, brush of 251 px', figures.large, 0.95),
    row('inverting, growing and undoing all of that mask', figures.whole, null),
    row('while the engine draws, with previews', figures.drawing, null),
    row('painting while the engine draws', figures.both, null),
    {
      what: `a page opened on a gallery of ${gallery.count} pictures, until its first thumbnails are seen`,
      ...{ measured: seconds(gallery.firstSeconds), bar: '', holds: null },
    },
    row('that gallery scrolled by the wheel', gallery.byWheel, 0.95, gallery),
    row('run through from end to end in 10 s', gallery.down, 0.95, gallery),
    row('and back, all thumbnails known', gallery.up, 0.95, gallery),
    {
      what: 'from its far end to all thumbnails that are in view there',
      measured: milliseconds(gallery.atTheEnd),
      bar: 'under 1 s',
      holds: gallery.atTheEnd < 1000,
    },
    row('searched by typing', gallery.search, null, gallery),
    { what: 'elements in the page with that gallery', measured: String(gallery.nodes), bar: '', holds: null },
  ];
}

/** Tasks as the clock has them, on a busy machine with their waits for a core, and as their thread's own time has them. */
function longTasks({ longTasks: tasks, longestTask }: Frames): string {
  const own = `the longest task ${milliseconds(longestTask)} of its thread`;
  if (tasks.length === 0) return `no long task, ${own}`;
  return `${tasks.length} over 50 ms by the clock, up to ${milliseconds(Math.max(...tasks))}, ${own}`;
}
