import { create } from 'zustand';
import { useView } from './view.ts';

/** The adapter file that the inspector looks into. */
export const useInspector = create<{ path: string | null }>(() => ({ path: null }));

export function openInspector(path: string): void {
  useInspector.setState({ path });
  useView.setState({ dialog: 'inspector' });
}
