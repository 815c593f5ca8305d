import { tell } from '../state/notices.ts';
import { isPaintTool, useCanvas } from './canvas-state.ts';
import { maskId, paintedLayer, useLayers } from './layers.ts';
import { raster } from './raster/client.ts';
import type { Place } from './raster/protocol.ts';

/** A place on the picture. */
export interface PaintPoint extends Place {
  /** 0 to 1; 1 where the device has none. */
  pressure: number;
}

/** What the tools show while they are used. */
export interface PaintGuide {
  /** The line that is drawn, on the picture; null: none. */
  outline(points: readonly Place[] | null): void;
  /** The picture's pixels reach the worker before this is done. */
  sendPicture(): Promise<void>;
  /** A click on a thing in the picture. @param erase takes away what it selects, or leaves it out */
  click(layer: string, at: Place, erase: boolean): void;
}

/** The tools that paint on a layer, whatever moves them: a mouse, a pen or keys. */
export class PaintTools {
  readonly #guide: PaintGuide;
  #under: { layer: string; erase: boolean; points: PaintPoint[] } | null = null;

  constructor(guide: PaintGuide) {
    this.#guide = guide;
  }

  get busy(): boolean {
    return this.#under !== null;
  }

  /** @param other does the opposite: takes away where the tool adds */
  begin(point: PaintPoint, other: boolean): void {
    const { tool, takeAway, hardness, tolerance, contiguous } = useCanvas.getState();
    if (!isPaintTool(tool)) return;
    const layer = paintedLayer();
    if (layer === null) {
      tell('There is nothing to paint on yet.', 'Add a region, or draw a picture first.');
      return;
    }
    if (layer !== useLayers.getState().active) useLayers.setState({ active: layer });
    const erase = (tool === 'eraser' || (tool !== 'brush' && takeAway)) !== other;
    this.#under = { layer, erase, points: [point] };
    const what = nameOf(layer);
    if (tool === 'brush' || tool === 'eraser') {
      raster.beginStroke(erase ? `Erase ${what}` : `Paint ${what}`, layer, erase, hardness);
      this.#extendStroke([point]);
    } else if (tool === 'fill') {
      raster.edit(`Fill ${what}`, layer, { kind: 'fill', at: point, erase });
      this.#under = null;
    } else if (tool === 'click') {
      this.#under = null;
      this.#guide.click(layer, point, erase);
    } else if (tool === 'colour') {
      this.#under = null;
      const change = { kind: 'colour', at: point, erase, tolerance, contiguous } as const;
      raster.awaits(this.#guide.sendPicture().then(() => raster.edit('Select by colour', layer, change)));
    }
  }

  extend(points: readonly PaintPoint[]): void {
    if (!this.#under) return;
    const { tool } = useCanvas.getState();
    if (tool === 'brush' || tool === 'eraser') {
      this.#extendStroke(points);
      return;
    }
    this.#under.points.push(...points);
    this.#guide.outline(this.#shape());
  }

  end(): void {
    const under = this.#under;
    if (!under) return;
    const { tool } = useCanvas.getState();
    if (tool === 'brush' || tool === 'eraser') raster.endStroke();
    else {
      const points = this.#shape();
      const what = nameOf(under.layer);
      const label = under.erase ? `Take from ${what}` : `Add to ${what}`;
      if (points.length > 2) raster.edit(label, under.layer, { kind: 'polygon', points, erase: under.erase });
      this.#guide.outline(null);
    }
    this.#under = null;
  }

  /** Leaves a shape undone; a stroke is ended and can be undone. */
  cancel(): void {
    const { tool } = useCanvas.getState();
    if (tool === 'brush' || tool === 'eraser') this.end();
    this.#under = null;
    this.#guide.outline(null);
  }

  #extendStroke(points: readonly PaintPoint[]): void {
    const { brushSize } = useCanvas.getState();
    raster.extendStroke(
      points.map(({ x, y, pressure }) => ({ x, y, radius: Math.max(0.5, (brushSize * pressure) / 2) })),
    );
  }

  /** The line as drawn, or the rectangle between its ends, on whole pixels. */
  #shape(): readonly Place[] {
    const points = this.#under?.points ?? [];
    if (useCanvas.getState().tool !== 'rectangle') return points;
    const [from, to] = [points[0], points.at(-1)];
    if (!from || !to) return [];
    const [left, top] = [Math.round(Math.min(from.x, to.x)), Math.round(Math.min(from.y, to.y))];
    const [right, bottom] = [Math.round(Math.max(from.x, to.x)), Math.round(Math.max(from.y, to.y))];
    if (left === right || top === bottom) return [];
    return [
      { x: left, y: top },
      { x: right, y: top },
      { x: right, y: bottom },
      { x: left, y: bottom },
    ];
  }
}

function nameOf(layer: string): string {
  return layer === maskId ? 'mask' : 'region';
}
