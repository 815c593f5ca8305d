import type { JobPreview } from '../../contract/preview-frame.ts';
import { picturesOf, useJobs } from '../state/jobs.ts';
import type { Transport } from '../transport/transport.ts';
import { show, shownOf, useCanvas } from './canvas-state.ts';

/** Puts previews and finished pictures on the canvas as they come. @returns what stops it */
export function followCanvas(transport: Transport): () => void {
  const stops = [
    transport.onPreview((preview) => {
      if (useCanvas.getState().follow && preview.image === latestImage(preview.job)) void showPreview(preview);
    }),
    useJobs.subscribe((state, last) => {
      if (state.jobs === last.jobs) return;
      const { follow, shown, preview } = useCanvas.getState();
      if (preview && state.jobs.get(preview.job)?.state !== 'running') useCanvas.setState({ preview: null });
      if (!last.loaded) return void showNewest(transport);
      if (!follow && shown) return;
      const [newest] = picturesOf(state.jobs);
      // Only what comes: one that was there already may be in the bin by now.
      if (newest && newest.id !== picturesOf(last.jobs)[0]?.id) show(shownOf(newest), true);
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** What was drawn last, of what has not been deleted since. */
async function showNewest(transport: Transport): Promise<void> {
  const { pictures } = await transport.call('pictures.list', { limit: 200 }).catch(() => ({ pictures: [] }));
  const there = new Set(pictures.map(({ path }) => path));
  const newest = picturesOf(useJobs.getState().jobs).find(({ path }) => there.has(path));
  const { follow, shown } = useCanvas.getState();
  if (newest && (follow || !shown)) show(shownOf(newest), true);
}

/** The picture of a batch that is drawn now. */
function latestImage(job: number): number {
  return useJobs.getState().progress.get(job)?.image ?? 0;
}

async function showPreview({ job, rgb, width, height }: JobPreview): Promise<void> {
  const pixels = new ImageData(width, height);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    pixels.data[to] = rgb[from] ?? 0;
    pixels.data[to + 1] = rgb[from + 1] ?? 0;
    pixels.data[to + 2] = rgb[from + 2] ?? 0;
    pixels.data[to + 3] = 255;
  }
  const bitmap = await createImageBitmap(pixels);
  // Decoding took a moment: the job may have ended in it.
  if (useJobs.getState().jobs.get(job)?.state === 'running') useCanvas.setState({ preview: { job, bitmap } });
}
