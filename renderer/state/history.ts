import { create } from 'zustand';

/** Something a person did that can be taken back. */
export interface Change {
  label: string;
  undo(): void;
  redo(): void;
  /** Changes with the same key within a moment of each other are one: typing, dragging a slider. */
  key?: string;
  /** Told when it can never be undone or redone any more. */
  forget?(): void;
}

interface Entry extends Change {
  at: number;
  /** As it was given. */
  change: Change;
}

interface HistoryState {
  past: readonly Entry[];
  future: readonly Entry[];
}

const most = 200;
/** Milliseconds without a change after which typing goes on as a change of its own. */
const moment = 700;

/** One history for the whole window: settings and strokes are taken back in the order in which they were made. */
export const useHistory = create<HistoryState>(() => ({ past: [], future: [] }));

/** Where changes go while several are gathered into one. */
let gathered: Change[] | null = null;

/** Makes one change of all that is recorded while this is done: they are taken back together. */
export function recordTogether(label: string, act: () => void): void {
  const parts: Change[] = [];
  const outer = gathered;
  gathered = parts;
  try {
    act();
  } finally {
    gathered = outer;
    const last = parts.toReversed();
    if (parts.length > 0) {
      record({
        label,
        undo: () => last.forEach((part) => void part.undo()),
        redo: () => parts.forEach((part) => void part.redo()),
        forget: () => parts.forEach((part) => void part.forget?.()),
      });
    }
  }
}

/** Remembers what was just done. */
export function record(change: Change, now = Date.now()): void {
  if (gathered) {
    gathered.push(change);
    return;
  }
  const { past, future } = useHistory.getState();
  const last = past.at(-1);
  if (last && change.key !== undefined && last.key === change.key && now - last.at < moment) {
    const merged = { ...last, redo: change.redo, at: now, change };
    useHistory.setState({ past: [...past.slice(0, -1), merged], future: [] });
  } else {
    useHistory.setState({ past: [...past.slice(-most + 1), { ...change, at: now, change }], future: [] });
    if (past.length >= most) past[0]?.forget?.();
  }
  for (const lost of future) lost.forget?.();
}

/** Takes changes out of the history: they changed nothing, or nothing is left of what they did. */
export function withdraw(changes: readonly object[]): void {
  const gone = new Set(changes);
  const { past, future } = useHistory.getState();
  const stays = (entry: Entry) => !gone.has(entry.change);
  useHistory.setState({ past: past.filter(stays), future: future.filter(stays) });
  for (const entry of [...past, ...future]) if (!stays(entry)) entry.forget?.();
}

export function undo(): void {
  const { past, future } = useHistory.getState();
  const last = past.at(-1);
  if (!last) return;
  last.undo();
  useHistory.setState({ past: past.slice(0, -1), future: [last, ...future] });
}

export function redo(): void {
  const { past, future } = useHistory.getState();
  const [next, ...later] = future;
  if (!next) return;
  next.redo();
  // 0: what follows must not be merged with it.
  useHistory.setState({ past: [...past, { ...next, at: 0 }], future: later });
}
