import { asImpastoError, ImpastoError } from '../../contract/errors.ts';
import type { MissingFile } from '../../contract/library.ts';
import type { RenderRequest } from '../../contract/request.ts';
import { resourceUrls } from '../../contract/resources.ts';
import { uploadReference } from '../../contract/uploads.ts';
import { editCanvas, show } from '../canvas/canvas-state.ts';
import { setMargins } from '../canvas/frame-drag.ts';
import { changeLayers, maskId, type RegionLayer } from '../canvas/layers.ts';
import { layersOf, loadMask, loadRegions, showAndWait, startOf } from '../canvas/restore.ts';
import { type Draft, draftOf, edit, lockSeed, useDraft } from '../state/draft.ts';
import { recordTogether } from '../state/history.ts';
import { tell, tellError } from '../state/notices.ts';
import { takeStyle } from '../state/style.ts';
import type { Transport } from '../transport/transport.ts';

export type RecallPart = 'all' | 'seed' | 'prompts' | 'size' | 'remix';

/** Which fields of the form a part is. */
export function recalled(request: RenderRequest, part: RecallPart, now: Draft): Partial<Draft> {
  const { prompt, negativePrompt, width, height, seed } = request;
  const size = {
    ...(width !== undefined && { width }),
    ...(height !== undefined && { height }),
  };
  switch (part) {
    case 'seed':
      return { seed };
    case 'prompts':
      return { prompt, negativePrompt };
    case 'size':
      return size;
    case 'all':
      // One picture of a batch is drawn again by its own seed, alone.
      return { ...draftOf(request), ...size, batch: 1 };
    case 'remix':
      return { ...draftOf(request), ...size, batch: now.batch, seed: now.seed };
  }
}

const told: Record<RecallPart, string> = {
  all: 'All settings recalled',
  seed: 'Seed recalled and locked',
  prompts: 'Prompts recalled',
  size: 'Size recalled',
  remix: 'Settings recalled, with a new seed each time',
};

/** Fills the form from how a picture was drawn, and the canvas where all of it is recalled. */
export async function recall(request: RenderRequest, part: RecallPart): Promise<void> {
  const whole = part === 'all' || part === 'remix';
  const regions = whole ? layersOf(request.regions) : [];
  const change = recalled(request, part, useDraft.getState().draft);
  recordTogether('Recall', () => {
    if (whole) {
      changeLayers('Recall', { regions, active: regions.at(-1)?.id ?? maskId }, change);
      takeStyle(request.style);
      const { init, mask, outpaint } = request;
      if (init && part === 'all') {
        editCanvas('Recall', { strength: init.strength, startFrom: !mask && !outpaint });
      }
    } else edit('Recall', change);
    if (part === 'all' || part === 'seed') lockSeed(true);
    if (part === 'remix') lockSeed(false);
  });
  const missing = whole ? await recallCanvas(request, regions, part === 'all') : [];
  tell(told[part], missing.join(' '));
}

/** Brings back what lay on the canvas. @returns what could not be, in words */
async function recallCanvas(
  request: RenderRequest,
  regions: readonly RegionLayer[],
  withPicture: boolean,
): Promise<string[]> {
  const missing: string[] = [];
  const { init, mask, outpaint, style } = request;
  const source = init?.path ?? style?.content;
  if (source !== undefined && withPicture) {
    const start = startOf(source);
    try {
      if (!start) throw new ImpastoError('FILE_NOT_FOUND', source, '');
      await showAndWait(start);
      if (outpaint) setMargins(outpaint);
      if (mask) await loadMask(mask);
    } catch {
      missing.push(
        'The picture it was drawn from, or its mask, is not at hand: put it on the canvas to draw it again.',
      );
    }
  }
  const lost = await loadRegions(request.regions, regions);
  if (lost.length > 0) missing.push(`${lost.join(', ')}: the mask is not at hand. Draw it again.`);
  return missing;
}

/** A picture file that was dropped: it goes on the canvas, and its settings into the form where it holds any. */
export async function openPicture(transport: Transport, file: File): Promise<void> {
  try {
    const { id, width, height } = await transport.upload(file);
    const { request, missing, warnings } = await settingsOf(transport, id);
    show(
      {
        id: `upload ${id}`,
        url: resourceUrls.upload(id),
        source: uploadReference(id),
        width,
        height,
        request,
        job: null,
        name: file.name,
      },
      false,
    );
    if (request) await recall(request, 'all');
    else tell(`${file.name} is on the canvas`, 'It holds no settings.');
    if (missing) tell('Not all that it was drawn with is here.', missing);
    for (const { message } of warnings) tell(message);
  } catch (thrown) {
    const { code, remedy } = asImpastoError(thrown);
    const unreadable = `${file.name} is not a picture that Impasto reads.`;
    tellError(code === 'IMAGE_UNREADABLE' ? new ImpastoError(code, unreadable, remedy, { cause: thrown }) : thrown);
  }
}

/** How an upload was drawn, as far as its files are here; `missing` says in words what is not. */
async function settingsOf(transport: Transport, upload: string) {
  try {
    const { request, missing, warnings } = await transport.call('pictures.recall', { upload });
    return { ...withoutMissing(request, missing), warnings };
  } catch (thrown) {
    // A photograph is as welcome as a starting point.
    if (asImpastoError(thrown).code === 'NO_METADATA') return { request: null, missing: '', warnings: [] };
    throw thrown;
  }
}

/** Leaves out of a request what is not on this machine: the model stays the one that is chosen now. */
function withoutMissing(request: RenderRequest, missing: readonly MissingFile[]) {
  const gone = new Set(missing.map(({ field }) => field));
  const adapters = request.adapters.filter((_, index) => !gone.has(`adapters.${index}.path`));
  const model = gone.has('model') ? useDraft.getState().draft.model : request.model;
  const said = missing.map(({ field, name, hash }) => {
    const what = field === 'model' ? 'the model' : field.startsWith('adapters') ? 'the adapter' : 'the file';
    const instead = field === 'model' ? '; the one that is chosen stays' : '';
    return `Not found: ${what} ${name}${hash ? ` (${hash})` : ''}${instead}.`;
  });
  return { request: { ...request, adapters, model }, missing: said.join(' ') };
}
