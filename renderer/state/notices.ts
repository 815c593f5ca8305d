import { create } from 'zustand';
import { asImpastoError, type ErrorCode } from '../../contract/errors.ts';

/** A line for the person, where there is no better place for it. */
export interface Notice {
  id: number;
  kind: 'error' | 'note';
  message: string;
  /** What to do about it. */
  remedy: string;
  code?: ErrorCode;
  /** What can be done about it at once. */
  action?: { label: string; perform(): void };
}

export const useNotices = create<{ notices: readonly Notice[] }>(() => ({ notices: [] }));

let latest = 0;
/** Milliseconds that a note stays; errors stay until they are dismissed. */
const noteTime = 6000;
/** The same of one with something to do. */
const actionTime = 12_000;

export function tell(message: string, remedy = '', action?: Notice['action']): void {
  add({ kind: 'note', message, remedy, ...(action && { action }) });
}

export function tellError(thrown: unknown): void {
  const { code, message, remedy } = asImpastoError(thrown);
  add({ kind: 'error', message, remedy, code });
}

export function dismiss(id: number): void {
  useNotices.setState(({ notices }) => ({ notices: notices.filter((notice) => notice.id !== id) }));
}

function add(notice: Omit<Notice, 'id'>): void {
  latest += 1;
  const id = latest;
  useNotices.setState(({ notices }) => ({
    notices: [...notices.filter(({ message }) => message !== notice.message).slice(-3), { id, ...notice }],
  }));
  if (notice.kind === 'note') setTimeout(() => dismiss(id), notice.action ? actionTime : noteTime);
}
