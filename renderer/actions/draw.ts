import { ImpastoError } from '../../contract/errors.ts';
import type { AdapterRef, Region, RenderRequestInput } from '../../contract/request.ts';
import { uploadReference } from '../../contract/uploads.ts';
import { drawnFrom, frameOf, hasMargins, useCanvas } from '../canvas/canvas-state.ts';
import { isEmpty, maskId, regionOf, useLayers } from '../canvas/layers.ts';
import { raster } from '../canvas/raster/client.ts';
import { isStyling } from '../canvas/styling.ts';
import { useDevice } from '../state/device.ts';
import { randomSeed, useDraft } from '../state/draft.ts';
import { useRefusal } from '../state/refusal.ts';
import { useStyle } from '../state/style.ts';
import type { Transport } from '../transport/transport.ts';
import { takeTags } from './prompt-tags.ts';

/** Puts what the window shows in the queue: the form, and what is on the canvas where it takes part. */
export async function draw(transport: Transport, place: 'front' | 'end'): Promise<void> {
  useRefusal.setState({ error: null });
  const { draft, seedLocked } = useDraft.getState();
  const seed = seedLocked ? draft.seed : randomSeed();
  if (!seedLocked) useDraft.setState({ draft: { ...draft, seed } });
  useCanvas.setState({ follow: true, comparing: false });
  try {
    await transport.call('queue.add', { requests: [await requestNow(transport, seed)], place });
  } catch (thrown) {
    useRefusal.getState().refuse(thrown);
  }
}

/** What the window shows, as a request. @throws ImpastoError where a part of it cannot be drawn */
export async function requestNow(
  transport: Transport,
  seed = useDraft.getState().draft.seed,
): Promise<RenderRequestInput> {
  const { draft } = useDraft.getState();
  // The last stroke may still be on its way.
  await raster.settled();
  const { text: prompt, adapters } = takeTags(draft.prompt);
  const regional = await fromRegions(transport);
  const fromCanvas = await fromPicture(transport);
  return {
    ...draft,
    prompt,
    seed,
    provider: useDevice.getState().provider,
    ...fromCanvas,
    ...regional,
    ...conceptsOf({ ...draft, ...fromCanvas }, [...draft.adapters, ...adapters, ...regional.adapters]),
  };
}

/** Concepts and who draws them, with the method that reads them; with another one they wait in the form. */
function conceptsOf(
  { composition, concepts }: Pick<RenderRequestInput, 'composition' | 'concepts'>,
  adapters: readonly AdapterRef[],
) {
  if (composition?.method === 'clora') return { concepts, adapters: [...adapters] };
  return { concepts: [], adapters: adapters.map(({ concept: _, ...adapter }) => adapter) };
}

/** Whether the next picture begins from the one on the canvas, and by what part of it. */
export function canvasTakesPart(): 'no' | 'picture' | 'mask' | 'outpaint' | 'style' {
  const state = useCanvas.getState();
  return state.shown && isStyling() ? 'style' : drawnFrom(state);
}

/** Whether the canvas says how large the next picture is, rather than the form. */
export function canvasHasSize(): boolean {
  const part = canvasTakesPart();
  return (
    part === 'mask' || part === 'outpaint' || part === 'style' || (useCanvas.getState().shown !== null && hasRegions())
  );
}

const hasRegions = () => useLayers.getState().regions.length > 0;

/** The size of the canvas as models can draw it; nothing where the form says. */
export function sizeOfCanvas(): { width?: number; height?: number } {
  if (!canvasHasSize()) return {};
  const { shown, margins } = useCanvas.getState();
  const { left, top, right, bottom } = margins;
  const whole = (side: number) => Math.max(8, Math.floor(side / 8) * 8);
  return { width: whole(shown?.width ?? 8) + left + right, height: whole(shown?.height ?? 8) + top + bottom };
}

async function fromPicture(transport: Transport): Promise<Partial<RenderRequestInput>> {
  const { shown, strength, feather, size, margins, masked } = useCanvas.getState();
  const part = canvasTakesPart();
  if (!shown || part === 'no') return {};
  if (part === 'style') {
    // Its regions go together in its own way, whatever the form holds for pictures that are drawn anew.
    const { composition } = useDraft.getState().draft;
    return { style: styleNow(shown.source), composition: { ...composition, method: 'sum' }, ...sizeOfCanvas() };
  }
  const init = { path: shown.source, strength };
  if (part === 'picture') return { init };
  return {
    init,
    ...(masked && { mask: { path: await uploaded(transport, maskId, { x: 0, y: 0, ...size }), feather } }),
    ...(part === 'outpaint' && { outpaint: margins }),
    ...sizeOfCanvas(),
  };
}

/** @throws ImpastoError where what lies on the canvas has no place in a style */
function styleNow(content: string): NonNullable<RenderRequestInput['style']> {
  const { masked, margins } = useCanvas.getState();
  if (!hasRegions()) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      'A style needs a region to act in.',
      'Add a region and draw where it is.',
    );
  }
  if (hasMargins(margins)) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      'A style stays within its picture, and the frame reaches beyond it.',
      'Put the frame back on the picture (Shift+O), or leave the style.',
    );
  }
  if (masked) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      'A style goes where the regions are, and a mask is painted too.',
      'Clear the mask, or leave the style to draw the mask anew.',
    );
  }
  return { content, ...useStyle.getState().settings };
}

/** The regions with their masks, and the adapters that their prompts name. */
async function fromRegions(
  transport: Transport,
): Promise<Pick<RenderRequestInput, 'regions' | 'width' | 'height'> & { adapters: AdapterRef[] }> {
  const { regions } = useLayers.getState();
  if (regions.length === 0) return { adapters: [] };
  const { size, margins } = useCanvas.getState();
  const empty = regions.find(({ id }) => isEmpty(id));
  if (empty) {
    throw new ImpastoError(
      'MASK_INVALID',
      `The region "${empty.name}" is empty.`,
      'Draw on the canvas where it is, or remove it.',
    );
  }
  const frame = frameOf(size, margins);
  const named: Region[] = [];
  const adapters: AdapterRef[] = [];
  for (const region of regions) {
    const tags = takeTags(region.prompt, region.name);
    adapters.push(...tags.adapters);
    named.push(regionOf({ ...region, prompt: tags.text }, await uploaded(transport, region.id, frame)));
  }
  return { regions: named, adapters, ...sizeOfCanvas() };
}

async function uploaded(transport: Transport, layer: string, box: Parameters<typeof raster.toPng>[1]): Promise<string> {
  const { id } = await transport.upload(await raster.toPng(layer, box));
  return uploadReference(id);
}
