import { useStyle } from '../state/style.ts';
import { useCanvas } from './canvas-state.ts';

/** Whether the regions take their adapters' style now: that is wanted, and there is a picture. */
export function isStyling(): boolean {
  return useStyle.getState().on && useCanvas.getState().shown !== null;
}

export function useStyling(): boolean {
  const on = useStyle((state) => state.on);
  const pictured = useCanvas((state) => state.shown !== null);
  return on && pictured;
}
