import { type Box, intersect, shift, unite } from './box.ts';
import { applyCoverage, type BrushPoint, stampLine } from './brush.ts';
import type { ShownLayer } from './compose.ts';
import { growBy } from './distance.ts';
import { type Pixels, selectByColour, selectEnclosed } from './flood.ts';
import { boxOf, contentOf, copyPlane, newPlane, type Plane, samplePlane, scaledPlane } from './plane.ts';
import { fillPolygon } from './polygon.ts';
import {
  type LayerContent,
  type LayerEdit,
  type LayerStyle,
  type Selection,
  type StrokePoint,
  thumbnailSide,
} from './protocol.ts';
import { type Packed, pack, unpack } from './run-length.ts';

interface Layer {
  plane: Plane;
  /** The box that holds all of it; null where it is empty. */
  content: Box | null;
}

type Edit =
  /** What stood there before; its box is in pixels of the picture. */
  | { kind: 'pixels'; layer: string; before: Packed }
  /** The frame that it had before, and what of the layers no longer fitted in. */
  | { kind: 'frame'; frame: Box; cut: { layer: string; before: Packed }[] };

interface Stroke {
  layer: string;
  edit: number;
  erase: boolean;
  hardness: number;
  last: BrushPoint | null;
  touched: Box | null;
}

/**
 * All layers of the canvas but the picture: how much of each pixel they hold, and how to undo what was done to them.
 * Places come in pixels of the picture; the frame says where the planes lie on it. Boxes that come back are in pixels of
 * the picture too: what has to be shown anew.
 */
export class RasterDocument {
  frame: Box = { x: 0, y: 0, width: 0, height: 0 };
  /** The picture under the layers, for what goes by its colours. */
  picture: Pixels | null = null;
  readonly #layers = new Map<string, Layer>();
  readonly #edits = new Map<number, Edit>();
  #base: Plane = newPlane(0, 0);
  #coverage: Plane = newPlane(0, 0);
  #stroke: Stroke | null = null;
  /** What a layer held before a selection's first click. */
  #selection: { session: number; layer: string; base: Plane } | null = null;

  /** The document for another picture. @param drop layers that mean nothing on it */
  setFrame(frame: Box, how: 'scale' | 'keep', drop: readonly string[]): void {
    for (const id of drop) this.#layers.delete(id);
    for (const layer of this.#layers.values()) {
      if (how === 'scale') layer.plane = scaledPlane(layer.plane, frame.width, frame.height);
      else layer.plane = this.#moved(layer.plane, frame);
      layer.content = contentOf(layer.plane, boxOf(layer.plane));
    }
    this.#edits.clear();
    this.#adopt(frame);
  }

  /** Another frame on the same picture: an edit, since it may cut something off. */
  reframe(frame: Box, edit: number): void {
    const cut: { layer: string; before: Packed }[] = [];
    for (const [id, { plane, content }] of this.#layers) {
      if (!content) continue;
      const place = shift(content, this.frame.x, this.frame.y);
      const rest = intersect(place, frame);
      if (rest && rest.width === place.width && rest.height === place.height) continue;
      cut.push({ layer: id, before: this.#packed(plane, content) });
    }
    this.#edits.set(edit, { kind: 'frame', frame: this.frame, cut });
    this.#placeOn(frame);
  }

  beginStroke(stroke: Pick<Stroke, 'layer' | 'edit' | 'erase' | 'hardness'>): void {
    const { plane } = this.#layer(stroke.layer);
    this.#base.data.set(plane.data);
    this.#stroke = { ...stroke, last: null, touched: null };
  }

  extendStroke(points: readonly StrokePoint[]): Box | null {
    const stroke = this.#stroke;
    if (!stroke) return null;
    const { plane } = this.#layer(stroke.layer);
    let changed: Box | null = null;
    for (const { x, y, radius } of points) {
      const point = { x: x - this.frame.x, y: y - this.frame.y, radius };
      changed = unite(changed, stampLine(this.#coverage, stroke.last ?? point, point, stroke.hardness));
      stroke.last = point;
    }
    if (!changed) return null;
    applyCoverage(plane, this.#base, this.#coverage, changed, stroke.erase);
    stroke.touched = unite(stroke.touched, changed);
    this.#grown(stroke.layer, changed);
    return shift(changed, this.frame.x, this.frame.y);
  }

  /** @returns whether the stroke met the document */
  endStroke(): boolean {
    const stroke = this.#stroke;
    this.#stroke = null;
    if (!stroke?.touched) return false;
    this.#remember(stroke.edit, stroke.layer, stroke.touched);
    this.#wipeCoverage(stroke.touched);
    this.#measure(stroke.layer);
    return true;
  }

  /** @returns what has changed; null where nothing has */
  edit(id: string, edit: number, change: LayerEdit): Box | null {
    const layer = this.#layer(id);
    const { plane } = layer;
    this.#base.data.set(plane.data);
    const touched = this.#mutate(layer, change);
    if (!touched) return null;
    this.#remember(edit, id, touched);
    this.#measure(id);
    return shift(touched, this.frame.x, this.frame.y);
  }

  /** Lays a picture's brightness over a layer. @param edit null: this cannot be undone */
  load(id: string, pixels: Pixels, edit: number | null): void {
    const layer = this.#layer(id);
    this.#base.data.set(layer.plane.data);
    layer.plane.data.set(scaledPlane(greyOf(pixels), layer.plane.width, layer.plane.height).data);
    if (edit !== null) this.#remember(edit, id, boxOf(layer.plane));
    this.#measure(id);
  }

  /** Lays a selection over what its layer held before the first click of its session. */
  select(id: string, pixels: Pixels, edit: number, { session, erase, size }: Selection): Box {
    const { plane } = this.#layer(id);
    this.#base.data.set(plane.data);
    const { layer, base } = this.#selection ?? {};
    const goesOn = this.#selection?.session === session && layer === id && base?.data.length === plane.data.length;
    if (!goesOn) this.#selection = { session, layer: id, base: { ...plane, data: plane.data.slice() } };
    const found = scaledPlane(greyOf(pixels), size.width, size.height);
    copyPlane(found, this.#coverage, { x: -this.frame.x, y: -this.frame.y });
    const all = boxOf(plane);
    applyCoverage(plane, this.#selection?.base ?? this.#base, this.#coverage, all, erase);
    this.#wipeCoverage(all);
    this.#remember(edit, id, all);
    this.#measure(id);
    return this.frame;
  }

  /** Undoes an edit, or does it again. @returns what has to be shown anew */
  swap(number: number): Box | null {
    const edit = this.#edits.get(number);
    if (!edit) return null;
    if (edit.kind === 'frame') {
      const { frame } = this;
      this.#placeOn(edit.frame);
      edit.frame = frame;
      for (const { layer, before } of edit.cut) {
        if (intersect(before.box, this.frame)?.width !== before.box.width) continue;
        unpack(this.#local(before), this.#layer(layer).plane);
        this.#measure(layer);
      }
      return unite(frame, this.frame);
    }
    const { layer, before } = edit;
    const { plane } = this.#layer(layer);
    const now = this.#packed(plane, this.#local(before).box);
    unpack(this.#local(before), plane);
    edit.before = now;
    this.#measure(layer, this.#local(before).box);
    return before.box;
  }

  forget(edits: readonly number[], layers: readonly string[]): void {
    for (const edit of edits) this.#edits.delete(edit);
    for (const layer of layers) this.#layers.delete(layer);
  }

  /** Layers with something in them, as they lie over each other. */
  shown(styles: readonly LayerStyle[]): ShownLayer[] {
    return styles.flatMap((style) => {
      const layer = this.#layers.get(style.id);
      return layer?.content ? [{ style, plane: layer.plane, content: layer.content }] : [];
    });
  }

  /** RGBA of a part of a layer, white on black. @param box in pixels of the picture */
  pixelsOf(id: string, box: Box): Pixels {
    const cut = newPlane(box.width, box.height);
    copyPlane(this.#layer(id).plane, cut, { x: this.frame.x - box.x, y: this.frame.y - box.y });
    const data = new Uint8ClampedArray(cut.data.length * 4);
    for (const [at, value] of cut.data.entries()) {
      data[at * 4] = value;
      data[at * 4 + 1] = value;
      data[at * 4 + 2] = value;
      data[at * 4 + 3] = 255;
    }
    return { width: box.width, height: box.height, data };
  }

  contents(): LayerContent[] {
    return [...this.#layers.keys()].map((id) => this.contentOf(id));
  }

  contentOf(id: string): LayerContent {
    const { plane, content } = this.#layer(id);
    const thumbnail = new Uint8ClampedArray(thumbnailSide * thumbnailSide * 4);
    if (!content || plane.width === 0) return { id, share: 0, thumbnail };
    const step = Math.max(plane.width, plane.height) / thumbnailSide;
    const small = newPlane(Math.max(1, Math.round(plane.width / step)), Math.max(1, Math.round(plane.height / step)));
    samplePlane(plane, { x: step / 2 - 0.5, y: step / 2 - 0.5, stepX: step, stepY: step }, small);
    const left = (thumbnailSide - small.width) >> 1;
    const top = (thumbnailSide - small.height) >> 1;
    for (let y = 0; y < small.height; y++) {
      for (let x = 0; x < small.width; x++) {
        const to = ((y + top) * thumbnailSide + x + left) * 4;
        thumbnail.fill(255, to, to + 3);
        thumbnail[to + 3] = small.data[y * small.width + x] as number;
      }
    }
    return { id, share: (content.width * content.height) / (plane.width * plane.height), thumbnail };
  }

  #mutate(layer: Layer, change: LayerEdit): Box | null {
    const { plane, content } = layer;
    switch (change.kind) {
      case 'invert':
        for (let at = 0; at < plane.data.length; at++) plane.data[at] = 255 - (plane.data[at] as number);
        return boxOf(plane);
      case 'clear':
        plane.data.fill(0);
        return content;
      case 'grow':
        return content && growBy(plane, content, change.by);
      case 'polygon': {
        const points = change.points.map(({ x, y }) => ({ x: x - this.frame.x, y: y - this.frame.y }));
        return this.#cover(plane, change.erase, (coverage) => fillPolygon(coverage, points));
      }
      case 'fill': {
        const seed = { x: change.at.x - this.frame.x, y: change.at.y - this.frame.y };
        if (!holds(plane, seed)) return null;
        return this.#cover(plane, change.erase, (coverage) => selectEnclosed(plane, seed, coverage));
      }
      case 'colour':
        return this.#cover(plane, change.erase, (coverage) => this.#coverByColour(coverage, change));
    }
  }

  #coverByColour(coverage: Plane, { at, tolerance, contiguous }: LayerEdit & { kind: 'colour' }): Box | null {
    const { picture } = this;
    if (!picture || !holds(picture, at)) return null;
    const found = newPlane(picture.width, picture.height);
    const box = selectByColour(picture, at, tolerance, contiguous, found);
    copyPlane(found, coverage, { x: -this.frame.x, y: -this.frame.y });
    return box && intersect(shift(box, -this.frame.x, -this.frame.y), boxOf(coverage));
  }

  #cover(plane: Plane, erase: boolean, mark: (coverage: Plane) => Box | null): Box | null {
    const box = mark(this.#coverage);
    if (!box) return null;
    applyCoverage(plane, this.#base, this.#coverage, box, erase);
    this.#wipeCoverage(box);
    return box;
  }

  #wipeCoverage({ x, y, width, height }: Box): void {
    for (let row = y; row < y + height; row++) {
      const start = row * this.#coverage.width + x;
      this.#coverage.data.fill(0, start, start + width);
    }
  }

  #layer(id: string): Layer {
    let layer = this.#layers.get(id);
    if (!layer) {
      layer = { plane: newPlane(this.frame.width, this.frame.height), content: null };
      this.#layers.set(id, layer);
    }
    return layer;
  }

  /** The plane's pixels on a frame, which both lie on the picture. */
  #moved(plane: Plane, frame: Box): Plane {
    const moved = newPlane(frame.width, frame.height);
    copyPlane(plane, moved, { x: this.frame.x - frame.x, y: this.frame.y - frame.y });
    return moved;
  }

  #placeOn(frame: Box): void {
    for (const layer of this.#layers.values()) {
      layer.plane = this.#moved(layer.plane, frame);
      layer.content = contentOf(layer.plane, boxOf(layer.plane));
    }
    this.#adopt(frame);
  }

  #adopt(frame: Box): void {
    this.frame = frame;
    this.#stroke = null;
    this.#base = newPlane(frame.width, frame.height);
    this.#coverage = newPlane(frame.width, frame.height);
  }

  /** Keeps what `#base` holds of a box, so that the edit can be undone. @param box of the plane */
  #remember(edit: number, layer: string, box: Box): void {
    this.#edits.set(edit, { kind: 'pixels', layer, before: this.#packed(this.#base, box) });
  }

  #packed(plane: Plane, box: Box): Packed {
    const packed = pack(plane, box);
    return { ...packed, box: shift(box, this.frame.x, this.frame.y) };
  }

  #local({ box, runs }: Packed): Packed {
    return { runs, box: shift(box, -this.frame.x, -this.frame.y) };
  }

  #grown(id: string, by: Box): void {
    const layer = this.#layer(id);
    layer.content = unite(layer.content, by);
  }

  #measure(id: string, also: Box | null = null): void {
    const layer = this.#layer(id);
    const within = also ? unite(layer.content, also) : boxOf(layer.plane);
    layer.content = within && contentOf(layer.plane, within);
  }
}

function greyOf({ width, height, data }: Pixels): Plane {
  const grey = newPlane(width, height);
  for (let at = 0; at < grey.data.length; at++) {
    const [red, green, blue] = [data[at * 4], data[at * 4 + 1], data[at * 4 + 2]] as number[];
    grey.data[at] = ((red as number) * 19595 + (green as number) * 38470 + (blue as number) * 7471 + 32768) >> 16;
  }
  return grey;
}

function holds({ width, height }: { width: number; height: number }, { x, y }: { x: number; y: number }): boolean {
  return x >= 0 && y >= 0 && x < width && y < height;
}
