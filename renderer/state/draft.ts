import { create } from 'zustand';
import { RenderRequest, RequestFields } from '../../contract/request.ts';
import { record } from './history.ts';

/** What the form holds: the next request, but for pictures, masks and regions, which the canvas holds. */
export type Draft = Omit<RenderRequest, 'version' | 'init' | 'mask' | 'outpaint' | 'regions' | 'provider' | 'style'>;

interface DraftState {
  draft: Draft;
  /** Draw again with the same seed, instead of a new one each time. */
  seedLocked: boolean;
}

// In the words that the built-in model knows.
const firstPrompt = 'a red house by the sea, soft watercolour';

export function draftOf(request: RenderRequest): Draft {
  const { version: _v, init: _i, mask: _m, outpaint: _o, regions: _r, provider: _p, style: _s, ...draft } = request;
  return draft;
}

export const firstDraft: Draft = draftOf(RenderRequest.parse({ prompt: firstPrompt }));

const storageKey = 'impasto.draft';

function stored(): DraftState {
  const first: DraftState = { draft: firstDraft, seedLocked: false };
  const text = globalThis.localStorage?.getItem(storageKey);
  if (!text) return first;
  try {
    const { draft, seedLocked } = JSON.parse(text) as DraftState;
    // Half of what a method needs may be there, and the regions lie on the canvas.
    return { draft: draftOf(RequestFields.parse(draft)), seedLocked: seedLocked === true };
  } catch {
    // Written by another version: what was typed then cannot be read now.
    return first;
  }
}

export const useDraft = create<DraftState>(stored);

let saving: ReturnType<typeof setTimeout> | undefined;
const save = () => globalThis.localStorage?.setItem(storageKey, JSON.stringify(useDraft.getState()));
useDraft.subscribe(() => {
  clearTimeout(saving);
  saving = setTimeout(save, 400);
});
// What was changed a moment before the window goes, too.
globalThis.addEventListener?.('pagehide', save);

/**
 * Changes the form, so that it can be undone.
 * @param key names what is changed; changes of one key in quick succession are undone together
 */
export function edit(label: string, change: Partial<Draft>, key: string = Object.keys(change).join()): void {
  const before = useDraft.getState().draft;
  // Only these fields: a seed that was drawn with meanwhile stays.
  const fields = Object.keys(change) as (keyof Draft)[];
  const former = Object.fromEntries(fields.map((field) => [field, before[field]])) as Partial<Draft>;
  const put = (fields: Partial<Draft>) => useDraft.setState(({ draft }) => ({ draft: { ...draft, ...fields } }));
  put(change);
  record({ label, key, undo: () => put(former), redo: () => put(change) });
}

export function editScheduler(change: Partial<Draft['scheduler']>): void {
  edit('Sampler', { scheduler: { ...useDraft.getState().draft.scheduler, ...change } });
}

export function lockSeed(seedLocked: boolean): void {
  const before = useDraft.getState().seedLocked;
  if (before === seedLocked) return;
  useDraft.setState({ seedLocked });
  record({
    label: 'Seed lock',
    undo: () => useDraft.setState({ seedLocked: before }),
    redo: () => useDraft.setState({ seedLocked }),
  });
}

/** A seed that fits what other tools take too: 32 bits. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}
