import { create } from 'zustand';
import { sameProportions } from '../../contract/proportions.ts';
import type { RenderRequest } from '../../contract/request.ts';
import { record } from '../state/history.ts';
import type { Picture } from '../state/jobs.ts';
import type { Box } from './raster/box.ts';

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

export const paintTools = ['brush', 'eraser', 'lasso', 'rectangle', 'fill', 'colour', 'click'] as const;
export type PaintTool = (typeof paintTools)[number];
/** `frame`: drags the picture's edges outward, to paint beyond them. */
export type Tool = 'move' | 'frame' | PaintTool;

/** Pixels added on each side. */
export interface Margins {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const noMargins: Margins = { left: 0, top: 0, right: 0, bottom: 0 };

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
  /** Of what is on the canvas; of the empty sheet where there is no picture. */
  size: { width: number; height: number };
  /** What the next picture has more on each side than the one on the canvas. */
  margins: Margins;
  tool: Tool;
  /** Diameter, pixels of the picture. */
  brushSize: number;
  /** 1: a clean edge; 0: fades out from the middle. */
  hardness: number;
  /** Shapes and fills take away instead of adding. */
  takeAway: boolean;
  /** By how much a channel of a colour may differ to be chosen with it, 0 to 255. */
  tolerance: number;
  /** Choose only what hangs together. */
  contiguous: boolean;
  /** Path of the segmentation model that selects by clicks; null: the picture's edges alone. */
  clickModel: string | null;
  /** How closely a selection by clicks keeps to changes of colour, 0 to 200. */
  edges: number;
  /** The picture's edge is not of what is clicked. */
  border: boolean;
  /** Clicks whose selection is not there yet. */
  selecting: number;
  /** Pixels by which a layer is grown or shrunk. */
  growth: number;
  /** Of the mask, pixels of the picture. */
  feather: number;
  /** Whether the mask holds anything. */
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
  size: { width: 0, height: 0 },
  margins: noMargins,
  tool: 'move',
  brushSize: 48,
  hardness: 0.8,
  takeAway: false,
  tolerance: 32,
  contiguous: true,
  clickModel: null,
  edges: 60,
  border: true,
  selecting: 0,
  growth: 4,
  feather: 4,
  masked: false,
  maskShown: true,
  startFrom: false,
  strength: 0.75,
  comparing: false,
  split: 0.5,
  zoom: 1,
}));

type Part = Pick<CanvasState, 'strength' | 'startFrom' | 'feather'>;

/** Changes how the canvas takes part in the next picture, so that it can be undone; quick changes are undone as one. */
export function editCanvas(label: string, change: Partial<Part>): void {
  const before = useCanvas.getState();
  const fields = Object.keys(change) as (keyof Part)[];
  const former = Object.fromEntries(fields.map((field) => [field, before[field]]));
  useCanvas.setState(change);
  record({
    label,
    key: `canvas ${fields}`,
    undo: () => useCanvas.setState(former),
    redo: () => useCanvas.setState(change),
  });
}

/** Whether the next picture is drawn from the one on the canvas, and by what part of it. */
export function drawnFrom({ shown, masked, startFrom, margins }: CanvasState): 'no' | 'picture' | 'mask' | 'outpaint' {
  if (!shown) return 'no';
  if (hasMargins(margins)) return 'outpaint';
  return masked ? 'mask' : startFrom ? 'picture' : 'no';
}

export function hasMargins({ left, top, right, bottom }: Margins): boolean {
  return left + top + right + bottom > 0;
}

/** What the next picture covers, in pixels of the one on the canvas. */
export function frameOf(size: { width: number; height: number }, { left, top, right, bottom }: Margins): Box {
  return { x: -left, y: -top, width: size.width + left + right, height: size.height + top + bottom };
}

export function isPaintTool(tool: Tool): tool is PaintTool {
  return (paintTools as readonly Tool[]).includes(tool);
}

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
    margins: noMargins,
    ...(!same && { comparing: false }),
  });
}

/** Waits until something is so of the canvas. */
export async function untilCanvas(there: () => boolean): Promise<void> {
  if (there()) return;
  await new Promise<void>((resolve) => {
    const stop = useCanvas.subscribe(() => {
      if (!there()) return;
      stop();
      resolve();
    });
  });
}
