import { useSyncExternalStore } from 'react';
import { useCanvas } from '../canvas/canvas-state.ts';
import { useLayers } from '../canvas/layers.ts';
import { useDraft } from '../state/draft.ts';
import { useHistory } from '../state/history.ts';
import { useJobs } from '../state/jobs.ts';
import { tellError } from '../state/notices.ts';
import { usePictures } from '../state/pictures.ts';
import { useView } from '../state/view.ts';
import type { Transport } from '../transport/transport.ts';
import { type Action, type ActionId, actionFor, actionOf, keysOf } from './actions.ts';
import { keyName, movesInside, typesInto } from './keys.ts';

/** Does it where it can be done now; what goes wrong is told. */
export async function perform(action: Action, transport: Transport): Promise<void> {
  if (action.enabled && !action.enabled()) return;
  try {
    await action.perform(transport);
  } catch (thrown) {
    tellError(thrown);
  }
}

/** Performs actions by their keys. @returns what stops it */
export function listenForKeys(transport: Transport): () => void {
  const onKey = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing || useView.getState().dialog !== null) return;
    const key = keyName(event);
    if (key === null) return;
    const action = actionFor(key);
    if (!action || (typesInto(event.target) && !action.whileTyping)) return;
    if (key.startsWith('Arrow') && movesInside(event.target)) return;
    event.preventDefault();
    void perform(action, transport);
  };
  window.addEventListener('keydown', onKey);
  return () => window.removeEventListener('keydown', onKey);
}

function subscribe(listener: () => void): () => void {
  const stops = [useCanvas, useLayers, useDraft, useHistory, useJobs, usePictures, useView].map((store) =>
    store.subscribe(listener),
  );
  return () => {
    for (const stop of stops) stop();
  };
}

/** Whether an action can be done now, and its first key, as they change. */
export function useAction(id: ActionId): { action: Action; enabled: boolean; key: string | undefined } {
  const action = actionOf(id);
  const enabled = useSyncExternalStore(subscribe, () => action.enabled?.() ?? true);
  const key = useSyncExternalStore(subscribe, () => keysOf(action)[0]);
  return { action, enabled, key };
}
