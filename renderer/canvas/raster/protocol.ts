import type { Box } from './box.ts';

/** What the window and the worker that holds the masks say to each other. Places are in pixels of the picture. */

export interface Place {
  x: number;
  y: number;
}

/** How the document lies on the screen: a place on the picture times the scale, plus x and y. */
export interface View {
  scale: number;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** How a layer is shown, from the lowest to the highest. */
export interface LayerStyle {
  id: string;
  colour: readonly [number, number, number];
  /** Standard deviation of its Gaussian feather, pixels of the picture. */
  feather: number;
  /** A line goes round what it holds. */
  outlined: boolean;
}

export interface StrokePoint extends Place {
  radius: number;
}

/** A change of a layer, which can be undone by its number. */
export type LayerEdit =
  | { kind: 'polygon'; points: readonly Place[]; erase: boolean }
  | { kind: 'fill'; at: Place; erase: boolean }
  | { kind: 'colour'; at: Place; erase: boolean; tolerance: number; contiguous: boolean }
  | { kind: 'grow'; by: number }
  | { kind: 'invert' }
  | { kind: 'clear' };

/** A selection that grows and shrinks click by click: laid over what the layer held before its first click. */
export interface Selection {
  /** Which of them, one after the other. */
  session: number;
  erase: boolean;
  /** Of the picture, which the selection's own pixels are stretched to. */
  size: { width: number; height: number };
}

/** What a layer holds. */
export interface LayerContent {
  id: string;
  /** Share of the document that is held at all, 0 to 1. */
  share: number;
  /** RGBA of a small picture of it, white on clear, `thumbnailSide` wide and high. */
  thumbnail: Uint8ClampedArray<ArrayBuffer>;
}

export const thumbnailSide = 36;

export type ToWorker =
  /** The document's frame on the picture. `scale`: layers are stretched to it; `keep`: what it does not hold is gone. */
  | { type: 'frame'; frame: Box; how: 'scale' | 'keep'; drop: readonly string[] }
  | { type: 'reframe'; frame: Box; edit: number }
  | { type: 'view'; view: View }
  | { type: 'styles'; styles: readonly LayerStyle[] }
  | { type: 'picture'; bitmap: ImageBitmap | null }
  | { type: 'stroke'; layer: string; edit: number; erase: boolean; hardness: number }
  | { type: 'points'; points: readonly StrokePoint[] }
  | { type: 'strokeEnd'; edit: number }
  | { type: 'edit'; layer: string; edit: number; change: LayerEdit }
  /** Lays a mask's picture over the layer: white is inside. Without an edit it cannot be undone. */
  | { type: 'load'; layer: string; bitmap: ImageBitmap; edit: number | null; call: number }
  | ({ type: 'select'; layer: string; bitmap: ImageBitmap; edit: number } & Selection)
  | { type: 'swap'; edit: number }
  | { type: 'forget'; edits: readonly number[]; layers: readonly string[] }
  | { type: 'png'; layer: string; box: Box; call: number }
  | { type: 'settle'; call: number }
  | { type: 'painted' };

export type FromWorker =
  | { type: 'paint'; view: View; box: Box; pixels: Uint8ClampedArray<ArrayBuffer> }
  | { type: 'content'; contents: LayerContent[] }
  /** This edit changed nothing. */
  | { type: 'unchanged'; edit: number }
  | { type: 'png'; call: number; blob: Blob | null }
  | { type: 'settled'; call: number }
  | { type: 'failed'; message: string; call: number | null };
