import { frameOf, type Margins, useCanvas } from './canvas-state.ts';
import { raster } from './raster/client.ts';

/** Which edges of the frame are dragged: -1 left or top, 1 right or bottom, 0 neither. */
export interface FrameEdges {
  x: -1 | 0 | 1;
  y: -1 | 0 | 1;
}

/** What models can draw is made of cells of so many pixels a side. */
const cell = 8;
/** As the contract has it. */
const longestSide = 16384;

/** The edges within reach of a place on the picture; null: none. */
export function edgesAt(x: number, y: number, reach: number): FrameEdges | null {
  const { size, margins } = useCanvas.getState();
  const { x: left, y: top, width, height } = frameOf(size, margins);
  if (x < left - reach || x > left + width + reach || y < top - reach || y > top + height + reach) return null;
  const near = (at: number, low: number, high: number) =>
    at >= high - reach ? 1 : at <= low + reach ? -1 : (0 as const);
  const edges = { x: near(x, left, left + width), y: near(y, top, top + height) } as FrameEdges;
  return edges.x === 0 && edges.y === 0 ? null : edges;
}

export function cursorOf({ x, y }: FrameEdges): string {
  if (x === 0) return 'ns-resize';
  if (y === 0) return 'ew-resize';
  return x === y ? 'nwse-resize' : 'nesw-resize';
}

/** The margins with edges dragged to a place on the picture: whole cells, and never into the picture. */
export function draggedMargins(start: Margins, edges: FrameEdges, x: number, y: number): Margins {
  const { size } = useCanvas.getState();
  const whole = (pixels: number, other: number, side: number) =>
    Math.max(0, Math.min(Math.round(pixels / cell) * cell, Math.floor((longestSide - side - other) / cell) * cell));
  return {
    left: edges.x < 0 ? whole(-x, start.right, size.width) : start.left,
    right: edges.x > 0 ? whole(x - size.width, start.left, size.width) : start.right,
    top: edges.y < 0 ? whole(-y, start.bottom, size.height) : start.top,
    bottom: edges.y > 0 ? whole(y - size.height, start.top, size.height) : start.bottom,
  };
}

/** Gives the next picture these margins, so that it can be undone. */
export function setMargins(next: Margins, before: Margins = useCanvas.getState().margins): void {
  const { size } = useCanvas.getState();
  const same = (Object.keys(next) as (keyof Margins)[]).every((side) => next[side] === before[side]);
  const put = (margins: Margins) => useCanvas.setState({ margins });
  put(next);
  if (same) return;
  raster.reframe('Frame', frameOf(size, next), { undo: () => put(before), redo: () => put(next) });
}
