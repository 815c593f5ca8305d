import { create } from 'zustand';
import type { RenderRequest } from '../../contract/request.ts';
import type { Picture } from '../state/jobs.ts';

/** A picture on the canvas. */
export interface Shown {
  /** The gallery's id of it; an upload's otherwise. */
  id: string;
  url: string;
  /** As a request names it: a path, or `upload:ID`. */
  source: string;
  width: number;
  height: number;
  /** How it was drawn, with its own seed; null where that is not known. */
  request: RenderRequest | null;
  /** Its job; null where it was not drawn here. */
  job: number | null;
  /** What it is called where it was not drawn here. */
  name: string | null;
}

export type Tool = 'move' | 'brush' | 'eraser';

/** What the engine has so far of the picture that is drawn. */
export interface LivePreview {
  job: number;
  bitmap: ImageBitmap;
}

interface CanvasState {
  shown: Shown | null;
  /** What was shown before, to compare with. */
  before: Shown | null;
  preview: LivePreview | null;
  /** Show what is drawn as it comes; not while somebody looks at an older picture. */
  follow: boolean;
  tool: Tool;
  /** Diameter, pixels of the picture. */
  brushSize: number;
  /** Pixels of the picture. */
  feather: number;
  /** Whether anything is painted. */
  masked: boolean;
  maskShown: boolean;
  /** Draw from this picture even without a mask. */
  startFrom: boolean;
  strength: number;
  comparing: boolean;
  /** Where before ends and after begins, 0 to 1. */
  split: number;
  /** Screen pixels for one of the picture. */
  zoom: number;
}

export const brushSizes = { min: 1, max: 1024 } as const;

export const useCanvas = create<CanvasState>(() => ({
  shown: null,
  before: null,
  preview: null,
  follow: true,
  tool: 'move',
  brushSize: 48,
  feather: 4,
  masked: false,
  maskShown: true,
  startFrom: false,
  strength: 0.75,
  comparing: false,
  split: 0.5,
  zoom: 1,
}));

export function shownOf(picture: Picture): Shown {
  const { id, job, url, path, width, height, request, seed } = picture;
  return { id, url, source: path, width, height, request: { ...request, seed }, job, name: null };
}

/** Puts a picture on the canvas; the one that was there becomes the one to compare with. */
export function show(next: Shown, follow: boolean): void {
  const { shown, before } = useCanvas.getState();
  if (shown?.id === next.id) {
    useCanvas.setState({ shown: next, follow, preview: null });
    return;
  }
  const comparable = shown ?? before;
  const same = comparable !== null && sameProportions(comparable, next);
  useCanvas.setState({
    shown: next,
    before: same ? comparable : null,
    follow,
    preview: null,
    ...(!same && { comparing: false }),
  });
}

function sameProportions(a: Shown, b: Shown): boolean {
  return Math.abs(a.width * b.height - b.width * a.height) <= Math.max(a.width, b.width, a.height, b.height);
}
