import Konva from 'konva';
import { sameProportions } from '../../contract/proportions.ts';
import { useDraft } from '../state/draft.ts';
import { useHistory } from '../state/history.ts';
import type { Transport } from '../transport/transport.ts';
import { frameOf, hasMargins, isPaintTool, type Margins, type Shown, useCanvas } from './canvas-state.ts';
import { ClickSelection } from './click-selection.ts';
import { cursorOf, draggedMargins, edgesAt, type FrameEdges, setMargins } from './frame-drag.ts';
import { maskId, useLayers } from './layers.ts';
import { loadPicture } from './load-picture.ts';
import { type PaintPoint, PaintTools } from './paint.ts';
import type { Box } from './raster/box.ts';
import { raster } from './raster/client.ts';
import type { Place } from './raster/protocol.ts';

/** Free room around a fitted picture, screen pixels; more where the tools are. */
const margin = { left: 68, right: 32, top: 32, bottom: 84 };
const zooms = { min: 0.02, max: 64 };
/** Screen pixels within which an edge of the frame is taken hold of. */
const reach = 12;
/** Screen pixels that an arrow key moves the brush by, and with Shift. */
const keySteps = { plain: 10, fine: 1 };
/** Lines that are as thin at any zoom, white upon a shade, so that they are seen over any picture. */
const thin = { visible: false, strokeScaleEnabled: false } as const;
const shade = 'rgba(0, 0, 0, 0.6)';
/** Of the frame, as shares of its sides. */
const handlePlaces = [
  [0, 0],
  [0.5, 0],
  [1, 0],
  [0, 0.5],
  [1, 0.5],
  [0, 1],
  [0.5, 1],
  [1, 1],
] as const;

/**
 * The canvas itself, by Konva: a layer with the pictures, one with what the worker shows of the masks and one with
 * outlines, all in pixels of the picture; the stage's scale and place are zoom and pan. It reads the canvas's state and
 * owns whatever it listens to, until it is destroyed.
 */
export class CanvasStage {
  readonly #stage: Konva.Stage;
  readonly #pictures = new Konva.Layer({ listening: false, imageSmoothingEnabled: true });
  readonly #maskLayer = new Konva.Layer({ listening: false });
  readonly #overlay = new Konva.Layer({ listening: false });
  readonly #picture = new Konva.Image({ image: undefined, listening: false });
  readonly #before = new Konva.Image({ image: undefined, listening: false });
  readonly #beforeGroup = new Konva.Group({ visible: false });
  readonly #preview = new Konva.Image({ image: undefined, visible: false });
  readonly #sheet = new Konva.Rect({ visible: false });
  readonly #beyond = new Konva.Rect({ visible: false });
  readonly #layers = new Konva.Image({ image: raster.screen, visible: false });
  readonly #frameShade = new Konva.Rect({ ...thin, stroke: shade, strokeWidth: 3.5 });
  readonly #frame = new Konva.Rect({ ...thin, stroke: '#fff', strokeWidth: 1.5 });
  readonly #handles = handlePlaces.map(() => new Konva.Rect({ fill: '#fff', stroke: shade, strokeWidth: 1 }));
  readonly #lineShade = new Konva.Line({ ...thin, closed: true, stroke: shade, strokeWidth: 3 });
  readonly #line = new Konva.Line({ ...thin, closed: true, stroke: '#fff', strokeWidth: 1.25, dash: [5, 4] });
  readonly #brushShade = new Konva.Circle({ ...thin, stroke: shade, strokeWidth: 3 });
  readonly #brush = new Konva.Circle({ ...thin, stroke: '#fff', strokeWidth: 1.25 });
  /** Where the selection was clicked: rings, those that leave out dashed. */
  readonly #clicks = new Konva.Group({ visible: false });
  readonly #divider = new Konva.Line({ ...thin, stroke: '#fff', strokeWidth: 2 });
  readonly #stops: (() => void)[] = [];
  #size = { width: 0, height: 0 };
  #url: string | null = null;
  #beforeUrl: string | null = null;
  #loading = new AbortController();
  #loadingBefore = new AbortController();
  /** Where the layers lie, as the worker was last told. */
  #framed: Box | null = null;
  #fitted = true;
  #drag: { kind: 'pan' | 'paint' | 'split'; x: number; y: number } | FrameDrag | null = null;
  #spaceHeld = false;
  /** Where keys have moved the brush to, on the picture; null: a mouse or pen moves it. */
  #keyPlace: Place | null = null;
  #sentPicture: CanvasImageSource | null = null;
  readonly #paint = new PaintTools({
    outline: (points) => this.#drawLine(points),
    sendPicture: () => this.#sendPicture(),
    click: (layer, at, erase) => this.#selection.click(layer, at, erase),
  });
  readonly #selection: ClickSelection;

  constructor(container: HTMLDivElement, transport: Transport) {
    this.#selection = new ClickSelection(transport, () => this.#markClicks());
    this.#stage = new Konva.Stage({ container, width: container.clientWidth, height: container.clientHeight });
    this.#beforeGroup.add(this.#before);
    this.#pictures.add(this.#sheet, this.#beyond, this.#picture, this.#preview, this.#beforeGroup);
    this.#maskLayer.add(this.#layers);
    this.#overlay.add(this.#divider, this.#frameShade, this.#frame, ...this.#handles);
    this.#overlay.add(this.#clicks, this.#lineShade, this.#line, this.#brushShade, this.#brush);
    this.#stage.add(this.#pictures, this.#maskLayer, this.#overlay);
    raster.onPaint = () => this.#showLayers();

    const observer = new ResizeObserver(() => {
      this.#stage.size({ width: container.clientWidth, height: container.clientHeight });
      if (this.#fitted) this.fit();
      else this.#moved();
    });
    observer.observe(container);
    this.#stops.push(
      () => observer.disconnect(),
      () => this.#selection.close(),
      useCanvas.subscribe((state, last) => this.#read(state, last)),
      useHistory.subscribe(() => this.#markClicks()),
      useLayers.subscribe((state, last) => {
        if (state.regions.length !== last.regions.length) this.#layOut();
      }),
      useDraft.subscribe(({ draft }, { draft: last }) => {
        if (draft.width !== last.width || draft.height !== last.height) this.#layOut();
      }),
    );
    this.#listen(container);
    this.#read(useCanvas.getState(), null);
    this.#layOut();
  }

  destroy(): void {
    raster.onPaint = () => {};
    for (const stop of this.#stops) stop();
    this.#stage.destroy();
  }

  /** All of the frame, as large as there is room. */
  fit(): void {
    const { x, y, width, height } = frameOf(this.#size, useCanvas.getState().margins);
    if (width === 0) return;
    const room = {
      width: this.#stage.width() - margin.left - margin.right,
      height: this.#stage.height() - margin.top - margin.bottom,
    };
    const scale = clampZoom(Math.min(room.width / width, room.height / height));
    this.#stage.scale({ x: scale, y: scale });
    // In the middle of the window where that is free, not of the room that is left.
    const middle = (this.#stage.width() - width * scale) / 2;
    this.#stage.position({
      x: Math.max(margin.left, middle) - x * scale,
      y: margin.top + (room.height - height * scale) / 2 - y * scale,
    });
    this.#fitted = true;
    this.#scaled();
  }

  /** @param centre stays where it is, screen pixels; the middle of the view by default */
  zoomTo(zoom: number, centre = { x: this.#stage.width() / 2, y: this.#stage.height() / 2 }): void {
    const old = this.#stage.scaleX();
    const next = clampZoom(zoom);
    const { x, y } = this.#stage.position();
    this.#stage.scale({ x: next, y: next });
    this.#stage.position({ x: centre.x - ((centre.x - x) / old) * next, y: centre.y - ((centre.y - y) / old) * next });
    this.#fitted = false;
    this.#scaled();
  }

  zoomBy(factor: number): void {
    this.zoomTo(this.#stage.scaleX() * factor);
  }

  #scaled(): void {
    const zoom = this.#stage.scaleX();
    // Enlarged far by hand, the pixels themselves are of interest; a small picture that is fitted stays a picture.
    this.#pictures.imageSmoothingEnabled(this.#fitted || zoom < 8);
    this.#sized();
    this.#markClicks();
    this.#moved();
    useCanvas.setState({ zoom });
  }

  /** What is seen lies elsewhere: the worker paints the layers for it. */
  #moved(): void {
    const { x, y } = this.#stage.position();
    const [width, height] = [this.#stage.width(), this.#stage.height()];
    raster.setView({ scale: this.#stage.scaleX(), x, y, width, height });
    this.#stage.batchDraw();
  }

  /** Lays what the worker has painted where it belongs, whatever the view is by now. */
  #showLayers(): void {
    const view = raster.screenView;
    if (!view) return;
    this.#layers.position({ x: -view.x / view.scale, y: -view.y / view.scale });
    this.#layers.size({ width: view.width / view.scale, height: view.height / view.scale });
    this.#layers.visible(true);
    this.#maskLayer.batchDraw();
  }

  #read(state: ReturnType<typeof useCanvas.getState>, last: ReturnType<typeof useCanvas.getState> | null): void {
    if (state.shown !== last?.shown) this.#load(state.shown);
    if (state.before !== last?.before) this.#loadBefore(state.before?.url ?? null);
    if (state.preview !== last?.preview) this.#showPreview(state.preview?.bitmap ?? null);
    if (state.comparing !== last?.comparing || state.split !== last?.split || state.before !== last?.before) {
      this.#compare();
    }
    if (state.comparing !== last?.comparing) this.#maskLayer.visible(!state.comparing);
    if (state.tool !== last?.tool || state.brushSize !== last?.brushSize) this.#outlineBrush();
    if (state.tool !== last?.tool) this.#paint.cancel();
    if (state.tool !== last?.tool || state.shown !== last?.shown) this.#markClicks();
    if (state.selecting !== last?.selecting) this.#outlineBrush();
    if (state.margins !== last?.margins || state.tool !== last?.tool) this.#drawFrame();
    if (state.margins !== last?.margins && this.#drag?.kind !== 'frame' && this.#fitted) this.fit();
  }

  async #load(shown: Shown | null): Promise<void> {
    const url = shown?.url ?? null;
    if (url === this.#url) return;
    this.#url = url;
    this.#loading.abort();
    if (url === null) {
      this.#picture.image(undefined);
      delete this.#stage.container().dataset.picture;
      this.#layOut();
      return;
    }
    this.#loading = new AbortController();
    // On a bare canvas its size is enough to paint on: what is done to the mask before its pixels come is not lost.
    if (shown && shown.width > 0 && this.#size.width === 0) {
      this.#adopt(shown.width, shown.height);
      this.#frameLayers();
    }
    const image = await loadPicture(url, this.#loading.signal);
    if (this.#url !== url || !image) return;
    this.#picture.image(image);
    this.#stage.container().dataset.picture = url;
    this.#adopt(image.naturalWidth, image.naturalHeight);
    this.#frameLayers();
    if (!useCanvas.getState().preview) this.#coverPicture(false);
    this.#layOut();
    this.#compare();
    this.#stage.batchDraw();
  }

  /** Without a picture, regions are drawn on an empty sheet of the next one's size; without either there is nothing. */
  #layOut(): void {
    const bare = useCanvas.getState().shown === null;
    const sheet = bare && useLayers.getState().regions.length > 0;
    this.#sheet.visible(sheet);
    if (sheet) {
      const { width = 512, height = 512 } = useDraft.getState().draft;
      this.#adopt(width, height);
      this.#frameLayers();
      this.#sheet.setAttrs({ width, height, fill: sheetColour });
    } else if (bare) this.#adopt(0, 0);
    this.#pictures.batchDraw();
  }

  /** Layers lie on the picture that is there now: they are stretched to it, and a mask of another shape goes. */
  #frameLayers(): void {
    const frame = frameOf(this.#size, useCanvas.getState().margins);
    const last = this.#framed;
    this.#framed = frame;
    if (
      last &&
      last.x === frame.x &&
      last.y === frame.y &&
      last.width === frame.width &&
      last.height === frame.height
    ) {
      return;
    }
    raster.setFrame(frame, 'scale', last && sameProportions(last, frame) ? [] : [maskId]);
  }

  async #loadBefore(url: string | null): Promise<void> {
    this.#beforeUrl = url;
    this.#loadingBefore.abort();
    this.#loadingBefore = new AbortController();
    const image = url === null ? null : await loadPicture(url, this.#loadingBefore.signal);
    if (this.#beforeUrl !== url) return;
    this.#before.image(image ?? undefined);
    this.#compare();
  }

  #showPreview(bitmap: ImageBitmap | null): void {
    if (!bitmap) {
      // The finished picture takes its place once it is loaded.
      if (this.#url === null || this.#picture.image()) this.#coverPicture(false);
      this.#pictures.batchDraw();
      return;
    }
    const frame = frameOf(this.#size, useCanvas.getState().margins);
    const fits = ({ width, height }: { width: number; height: number }) =>
      width > 0 && Math.abs(bitmap.width / bitmap.height - width / height) < 0.02;
    if (!fits(frame) && !fits(this.#size)) this.#adopt(bitmap.width * 8, bitmap.height * 8);
    this.#preview.image(bitmap);
    const place = fits(frame) ? frame : { x: 0, y: 0, ...this.#size };
    this.#preview.position(place);
    this.#preview.size(place);
    this.#coverPicture(true);
    this.#pictures.batchDraw();
  }

  /** The preview lies over all of the picture: that is not drawn under it, which is a quarter of what a preview costs. */
  #coverPicture(covered: boolean): void {
    this.#preview.visible(covered);
    this.#picture.visible(!covered);
  }

  /** The picture has this size from now on; what is looked at stays in view. */
  #adopt(width: number, height: number): void {
    const changed = this.#size.width !== width || this.#size.height !== height;
    this.#size = { width, height };
    this.#picture.size(this.#size);
    this.#before.size(this.#size);
    if (!changed) return;
    useCanvas.setState({ size: this.#size });
    this.#drawFrame();
    this.fit();
  }

  /** The frame of the next picture, and its handles while it can be dragged. */
  #drawFrame(): void {
    const { margins, tool } = useCanvas.getState();
    const frame = frameOf(this.#size, margins);
    const dragged = tool === 'frame' && this.#size.width > 0;
    const beyond = hasMargins(margins);
    this.#beyond.setAttrs({ ...frame, visible: beyond, fill: beyondColour });
    for (const rect of [this.#frameShade, this.#frame]) rect.setAttrs({ ...frame, visible: dragged || beyond });
    this.#frame.dash(dragged ? [] : [6, 5]);
    for (const handle of this.#handles) handle.visible(dragged);
    this.#sized();
    this.#pictures.batchDraw();
    this.#overlay.batchDraw();
  }

  /** What keeps its size on the screen whatever the zoom. */
  #sized(): void {
    const scale = this.#stage.scaleX();
    const { x, y, width, height } = frameOf(this.#size, useCanvas.getState().margins);
    const side = 9 / scale;
    for (const [index, [over, down]] of handlePlaces.entries()) {
      this.#handles[index]?.setAttrs({
        x: x + over * width - side / 2,
        y: y + down * height - side / 2,
        width: side,
        height: side,
        strokeWidth: 1 / scale,
      });
    }
  }

  #markClicks(): void {
    const clicks = useCanvas.getState().tool === 'click' ? this.#selection.clicks : [];
    this.#clicks.destroyChildren();
    this.#clicks.visible(clicks.length > 0);
    const scale = this.#stage.scaleX();
    for (const { x, y, inside } of clicks) {
      this.#clicks.add(
        new Konva.Circle({ x, y, radius: 5 / scale, strokeScaleEnabled: false, stroke: shade, strokeWidth: 4 }),
        new Konva.Circle({
          ...{ x, y, radius: 5 / scale, strokeScaleEnabled: false, stroke: '#fff', strokeWidth: 1.75 },
          ...(inside ? { fill: '#fff' } : { dash: [3, 2.4] }),
        }),
      );
    }
    this.#overlay.batchDraw();
  }

  #drawLine(points: readonly Place[] | null): void {
    for (const line of [this.#lineShade, this.#line]) {
      line.visible(points !== null && points.length > 1);
      line.points((points ?? []).flatMap(({ x, y }) => [x, y]));
    }
    this.#overlay.batchDraw();
  }

  /** What goes by colours needs the picture: the worker is given it when it is first asked. */
  async #sendPicture(): Promise<void> {
    const image = this.#picture.image();
    if (!image || this.#sentPicture === image) return;
    this.#sentPicture = image;
    raster.setPicture(await createImageBitmap(image as HTMLImageElement));
  }

  #compare(): void {
    const { comparing, split, before } = useCanvas.getState();
    const { width, height } = this.#size;
    const on = comparing && before !== null && this.#before.image() !== undefined;
    this.#beforeGroup.visible(on);
    this.#beforeGroup.clip({ x: 0, y: 0, width: width * split, height });
    this.#divider.visible(on);
    this.#divider.points([width * split, 0, width * split, height]);
    this.#pictures.batchDraw();
    this.#overlay.batchDraw();
  }

  #outlineBrush(at?: Place): void {
    const { tool, brushSize, comparing } = useCanvas.getState();
    const painting = isPaintTool(tool) && !comparing && this.#size.width > 0;
    const round = tool === 'brush' || tool === 'eraser';
    // Tools without a size have a small ring where keys move them; a mouse shows where it is itself.
    const ring = painting && (round || this.#keyPlace !== null);
    for (const circle of [this.#brushShade, this.#brush]) {
      circle.visible(ring && (at !== undefined || circle.visible()));
      circle.radius(round ? brushSize / 2 : 5 / this.#stage.scaleX());
      if (at) circle.position(at);
    }
    this.#overlay.batchDraw();
    const { style } = this.#stage.container();
    const pan = this.#drag?.kind === 'pan' ? 'grabbing' : 'grab';
    const waits = useCanvas.getState().selecting > 0;
    if (this.#spaceHeld) style.cursor = pan;
    else if (painting) style.cursor = round ? 'none' : waits ? 'progress' : 'crosshair';
    else if (tool === 'frame' && !comparing) {
      const edges =
        this.#drag?.kind === 'frame' ? this.#drag.edges : at && edgesAt(at.x, at.y, reach / this.#stage.scaleX());
      style.cursor = edges ? cursorOf(edges) : pan;
    } else style.cursor = pan;
  }

  #listen(container: HTMLDivElement): void {
    const on = <Name extends keyof HTMLElementEventMap>(
      target: HTMLElement | Window,
      name: Name,
      listener: (event: HTMLElementEventMap[Name]) => void,
      options?: AddEventListenerOptions,
    ) => {
      target.addEventListener(name, listener as EventListener, options);
      this.#stops.push(() => target.removeEventListener(name, listener as EventListener, options));
    };
    on(container, 'wheel', (event) => this.#wheel(event), { passive: false });
    on(container, 'pointerdown', (event) => this.#down(event));
    // A click takes the keyboard from a field, but does not bring it here: arrows still go through the pictures.
    on(container, 'mousedown', (event) => {
      event.preventDefault();
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    });
    on(container, 'keydown', (event) => this.#key(event));
    on(container, 'blur', () => {
      this.#keyPlace = null;
      // A mouse that takes over from the keys has begun a stroke of its own by now.
      if (!this.#drag) this.#paint.cancel();
      this.#outlineBrush();
    });
    on(container, 'pointermove', (event) => this.#move(event));
    on(container, 'pointerup', () => this.#up());
    on(container, 'pointercancel', () => this.#up());
    on(container, 'pointerleave', () => {
      if (this.#drag) return;
      this.#brush.visible(false);
      this.#brushShade.visible(false);
      this.#overlay.batchDraw();
    });
    on(window, 'keydown', (event) => {
      if (event.key !== ' ' || event.target !== document.body) return;
      event.preventDefault();
      this.#spaceHeld = true;
      this.#outlineBrush();
    });
    on(window, 'keyup', (event) => {
      if (event.key === ' ') this.#spaceHeld = false;
    });
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const box = this.#stage.container().getBoundingClientRect();
    const pinch = event.ctrlKey ? 4 : 1;
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const factor = Math.exp((-event.deltaY * lines * pinch) / 600);
    this.zoomTo(this.#stage.scaleX() * factor, { x: event.clientX - box.left, y: event.clientY - box.top });
  }

  #down(event: PointerEvent): void {
    const { tool, comparing, margins } = useCanvas.getState();
    const penEraser = event.pointerType === 'pen' && event.button === 5;
    if (event.button !== 0 && event.button !== 1 && !penEraser) return;
    this.#stage.container().setPointerCapture(event.pointerId);
    this.#keyPlace = null;
    const at = this.#pointOf(event);
    const { clientX: x, clientY: y } = event;
    const edges = tool === 'frame' ? edgesAt(at.x, at.y, reach / this.#stage.scaleX()) : null;
    if (event.button === 1 || this.#spaceHeld || this.#size.width === 0) this.#drag = { kind: 'pan', x, y };
    else if (comparing) this.#drag = { kind: 'split', x, y };
    else if (edges) this.#drag = { kind: 'frame', edges, start: margins };
    else this.#drag = { kind: isPaintTool(tool) ? 'paint' : 'pan', x, y };
    if (this.#drag.kind === 'paint') this.#paint.begin(at, event.altKey || (penEraser && tool !== 'eraser'));
    if (this.#drag.kind === 'split') this.#moveSplit(event);
    this.#outlineBrush(at);
  }

  #move(event: PointerEvent): void {
    const drag = this.#drag;
    const at = this.#pointOf(event);
    if (drag?.kind === 'pan') {
      const { x, y } = this.#stage.position();
      this.#stage.position({ x: x + event.clientX - drag.x, y: y + event.clientY - drag.y });
      this.#fitted = false;
      this.#drag = { ...drag, x: event.clientX, y: event.clientY };
      this.#moved();
    } else if (drag?.kind === 'paint') {
      const passed = event.getCoalescedEvents();
      this.#paint.extend((passed.length > 0 ? passed : [event]).map((each) => this.#pointOf(each)));
    } else if (drag?.kind === 'frame') {
      useCanvas.setState({ margins: draggedMargins(drag.start, drag.edges, at.x, at.y) });
    } else if (drag?.kind === 'split') {
      this.#moveSplit(event);
    }
    this.#outlineBrush(at);
  }

  #up(): void {
    const drag = this.#drag;
    this.#drag = null;
    if (drag?.kind === 'paint') this.#paint.end();
    if (drag?.kind === 'frame') {
      setMargins(useCanvas.getState().margins, drag.start);
      if (this.#fitted) this.fit();
    }
    this.#outlineBrush();
  }

  /** The brush moved by keys: arrows move it, Enter lowers and lifts it, Escape leaves. */
  #key(event: KeyboardEvent): void {
    const { tool, comparing } = useCanvas.getState();
    if (!isPaintTool(tool) || comparing || this.#size.width === 0 || event.ctrlKey || event.metaKey) return;
    const direction = arrows[event.key];
    const frame = frameOf(this.#size, useCanvas.getState().margins);
    const place = this.#keyPlace ?? { x: frame.x + frame.width / 2, y: frame.y + frame.height / 2 };
    if (direction) {
      const step = (event.shiftKey ? keySteps.fine : keySteps.plain) / this.#stage.scaleX();
      this.#keyPlace = {
        x: Math.min(frame.x + frame.width, Math.max(frame.x, place.x + direction[0] * step)),
        y: Math.min(frame.y + frame.height, Math.max(frame.y, place.y + direction[1] * step)),
      };
      this.#paint.extend([{ ...this.#keyPlace, pressure: 1 }]);
    } else if (event.key === 'Enter') {
      this.#keyPlace = place;
      if (this.#paint.busy) this.#paint.end();
      else this.#paint.begin({ ...place, pressure: 1 }, event.altKey);
    } else if (event.key === 'Escape') {
      this.#paint.cancel();
    } else return;
    event.preventDefault();
    this.#outlineBrush(this.#keyPlace ?? place);
  }

  #moveSplit(event: PointerEvent): void {
    const split = this.#pointOf(event).x / Math.max(1, this.#size.width);
    useCanvas.setState({ split: Math.min(1, Math.max(0, split)) });
  }

  /** Where on the picture it is. */
  #pointOf(event: PointerEvent): PaintPoint {
    const box = this.#stage.container().getBoundingClientRect();
    const scale = this.#stage.scaleX();
    return {
      x: (event.clientX - box.left - this.#stage.x()) / scale,
      y: (event.clientY - box.top - this.#stage.y()) / scale,
      pressure: event.pointerType === 'pen' && event.pressure > 0 ? event.pressure : 1,
    };
  }
}

interface FrameDrag {
  kind: 'frame';
  edges: FrameEdges;
  start: Margins;
}

const arrows: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** An empty sheet, and what will be drawn beyond the picture: greys that tell themselves from the ground in any theme. */
const sheetColour = '#8883';
const beyondColour = '#8885';

function clampZoom(zoom: number): number {
  return Math.min(zooms.max, Math.max(zooms.min, zoom));
}

let current: CanvasStage | null = null;

/** The stage that is in the window now. */
export function currentStage(): CanvasStage | null {
  return current;
}

export function mountStage(container: HTMLDivElement, transport: Transport): () => void {
  const stage = new CanvasStage(container, transport);
  current = stage;
  return () => {
    current = null;
    stage.destroy();
  };
}
