import type { RenderRequestInput } from '../../contract/request.ts';
import { uploadReference } from '../../contract/uploads.ts';
import { useCanvas } from '../canvas/canvas-state.ts';
import { mask } from '../canvas/mask.ts';
import { useDevice } from '../state/device.ts';
import { randomSeed, useDraft } from '../state/draft.ts';
import { useRefusal } from '../state/refusal.ts';
import type { Transport } from '../transport/transport.ts';

/** Puts what the window shows in the queue: the form, and the picture and mask on the canvas where they take part. */
export async function draw(transport: Transport, place: 'front' | 'end'): Promise<void> {
  useRefusal.setState({ error: null });
  const { draft, seedLocked } = useDraft.getState();
  const seed = seedLocked ? draft.seed : randomSeed();
  if (!seedLocked) useDraft.setState({ draft: { ...draft, seed } });
  useCanvas.setState({ follow: true, comparing: false });
  try {
    const request = { ...draft, seed, provider: useDevice.getState().provider, ...(await fromCanvas(transport)) };
    await transport.call('queue.add', { requests: [request], place });
  } catch (thrown) {
    useRefusal.getState().refuse(thrown);
  }
}

/** Whether the next picture begins from the one on the canvas, and by what part of it. */
export function canvasTakesPart(): 'no' | 'picture' | 'mask' {
  const { shown, masked, startFrom } = useCanvas.getState();
  if (!shown) return 'no';
  return masked ? 'mask' : startFrom ? 'picture' : 'no';
}

async function fromCanvas(
  transport: Transport,
): Promise<Pick<RenderRequestInput, 'init' | 'mask' | 'width' | 'height'>> {
  const { shown, strength, feather } = useCanvas.getState();
  const part = canvasTakesPart();
  if (!shown || part === 'no') return {};
  const init = { path: shown.source, strength };
  if (part === 'picture') return { init };
  const { id } = await transport.upload(await mask.toPng());
  // Outside the mask nothing may change, so the picture keeps its size.
  const size = { width: shown.width, height: shown.height };
  return { init, mask: { path: uploadReference(id), feather }, ...size };
}
