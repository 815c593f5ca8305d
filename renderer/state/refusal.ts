import { create } from 'zustand';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';

interface RefusalState {
  /** Why what was to be drawn was not taken: shown by the button that was pressed. */
  error: ErrorRecord | null;
  refuse(thrown: unknown): void;
}

export const useRefusal = create<RefusalState>((set) => ({
  error: null,
  refuse: (thrown) => set({ error: asImpastoError(thrown).toRecord() }),
}));
