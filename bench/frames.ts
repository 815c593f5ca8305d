import type { Page } from 'playwright-core';
import { percentile } from './statistics.ts';

/** What the window did while something was done in it. */
export interface Frames {
  perSecond: number;
  /** Milliseconds between frames. */
  p50: number;
  p99: number;
  /** Tasks of the main thread beyond 50 ms by the clock, milliseconds: on a busy machine they wait for a core too. */
  longTasks: number[];
  /** The longest task by the main thread's own time, milliseconds. */
  longestTask: number;
}

/** Counts frames and tasks beyond 50 ms in the page. Text: the bench itself knows no document. */
const watch = `
  window.__long = [];
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.__long.push(duration);
  }).observe({ type: 'longtask' });
  window.__watch = () => {
    window.__long = [];
    window.__frames = [];
    let last = null;
    const frame = (now) => {
      if (last !== null) window.__frames.push(now - last);
      last = now;
      if (window.__watching) requestAnimationFrame(frame);
    };
    window.__watching = true;
    requestAnimationFrame(frame);
  };
`;

/** Makes a page ready for {@link framesDuring}, once. */
export async function watchFrames(page: Page): Promise<void> {
  await page.evaluate(watch);
}

/** Frames and long tasks of a page while something is done in it. */
export async function framesDuring(page: Page, work: () => Promise<unknown>): Promise<Frames> {
  const browser = page.context().browser();
  if (!browser) throw new Error('the page has no browser');
  await browser.startTracing(page, { categories: ['toplevel'] });
  await page.evaluate('window.__watch()');
  await work();
  const { frames, long } = (await page.evaluate(
    'window.__watching = false, { frames: window.__frames, long: window.__long }',
  )) as { frames: number[]; long: number[] };
  const longestTask = longestTaskOf((await browser.stopTracing()).toString());
  const all = frames.reduce((sum, each) => sum + each, 0);
  return {
    perSecond: (1000 * frames.length) / all,
    p50: percentile(frames, 0.5),
    p99: percentile(frames, 0.99),
    longTasks: long.map(Math.round),
    longestTask,
  };
}

/** An event of Chromium's trace format, as far as it is read: times in microseconds, `tdur` of its thread. */
interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  tdur?: number;
  args: { name?: string };
}

/** Milliseconds of the thread's own time that the longest task of a page's main thread took. */
function longestTaskOf(trace: string): number {
  const { traceEvents } = JSON.parse(trace) as { traceEvents: TraceEvent[] };
  const thread = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`;
  const named = traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain');
  const main = new Set(named.map(thread));
  const tasks = traceEvents.filter((event) => event.ph === 'X' && main.has(thread(event)));
  return Math.max(0, ...tasks.map(({ tdur }) => (tdur ?? 0) / 1000));
}
