import type { Job, JobProgress } from '../../contract/queue.ts';

/** How much of a job is drawn, 0 to 1. */
export function fractionOf(progress: JobProgress): number {
  const { stage, image, images, step, steps } = progress;
  // Decoding comes after the last step; everything else before the first.
  const within = stage === 'decode' ? 1 : stage === 'sample' && steps > 0 ? step / steps : 0;
  return Math.min(1, (image + within) / Math.max(1, images));
}

/** Milliseconds that a job still needs, by how long it took so far; null while there is nothing to go by. */
export function remainingOf(progress: JobProgress): number | null {
  const fraction = fractionOf(progress);
  if (fraction <= 0) return null;
  return (progress.elapsed / fraction) * (1 - fraction);
}

/** UNet evaluations that a job asks for: what its time goes by. */
export function workOf({ request, wanted, pictures }: Job): number {
  const guided = request.guidance.scale > 1 ? 2 : 1;
  const area = ((request.width ?? 512) * (request.height ?? 512)) / 2 ** 18;
  return request.steps * guided * area * Math.max(0, wanted - pictures.length);
}

/** Milliseconds that all of these need, judged by the one that is drawn; null while there is nothing to go by. */
export function remainingOfAll(
  jobs: readonly Job[],
  running: { job: Job; progress: JobProgress } | undefined,
): number | null {
  if (!running) return null;
  const own = remainingOf(running.progress);
  const whole = workOf({ ...running.job, pictures: [] });
  const fraction = fractionOf(running.progress);
  if (own === null || whole === 0) return null;
  const perWork = running.progress.elapsed / (whole * fraction);
  const others = jobs.filter(({ id, state }) => id !== running.job.id && state === 'queued');
  return own + others.reduce((sum, job) => sum + workOf(job), 0) * perWork;
}

/** A length of time in words as short as they can be: `8 s`, `2 min`, `1 h 05 min`. */
export function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 1) return milliseconds < 1000 ? `${Math.max(0.1, milliseconds / 1000).toFixed(1)} s` : '1 s';
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
