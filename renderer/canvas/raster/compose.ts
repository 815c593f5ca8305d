import { reachOf, softenPlane } from './blur.ts';
import { type Box, intersect, widen } from './box.ts';
import { newPlane, type Plane, samplePlane } from './plane.ts';
import type { LayerStyle, View } from './protocol.ts';

/** A layer as it lies on the picture. */
export interface ShownLayer {
  style: LayerStyle;
  plane: Plane;
  /** The box of the plane that holds all of it. */
  content: Box;
}

/** How strongly a layer's colour lies over the picture, of 255. */
const tint = 132;
const outline = 240;
/** A feather wider than this on the screen is blurred at a coarser grid: nobody sees the difference. */
const widestBlur = 12;

/**
 * Layers over each other as the screen shows them: RGBA of `box`, clear where no layer is.
 * @param frame where the planes lie on the picture
 * @param box in pixels of the screen
 */
export function composeLayers(
  layers: readonly ShownLayer[],
  frame: Box,
  view: View,
  box: Box,
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(box.width * box.height * 4);
  const shownFrame = onScreen(frame, view);
  for (const { style, plane, content } of layers) {
    const reach = reachOf(style.feather * view.scale) + 1;
    const place = onScreen({ ...content, x: content.x + frame.x, y: content.y + frame.y }, view);
    const near = intersect(widen(place, reach), box);
    const part = near && intersect(near, shownFrame);
    if (!part) continue;
    const values = layerOn(widen(part, 1), plane, frame, view, style.feather);
    lay(pixels, box, part, values, style);
  }
  return pixels;
}

/** The whole pixels of the screen that a box on the picture touches. */
export function onScreen({ x, y, width, height }: Box, view: View): Box {
  const left = Math.floor(x * view.scale + view.x);
  const top = Math.floor(y * view.scale + view.y);
  return {
    x: left,
    y: top,
    width: Math.ceil((x + width) * view.scale + view.x) - left,
    height: Math.ceil((y + height) * view.scale + view.y) - top,
  };
}

/** A layer's values where the screen shows it, feathered. */
function layerOn(part: Box, plane: Plane, frame: Box, view: View, feather: number): Plane {
  const sigma = feather * view.scale;
  const coarse = Math.max(1, Math.ceil(sigma / widestBlur));
  const room = Math.ceil(reachOf(sigma) / coarse) + 1;
  const wide = newPlane(Math.ceil(part.width / coarse) + 2 * room, Math.ceil(part.height / coarse) + 2 * room);
  const start = (at: number, offset: number, from: number) =>
    (at - room * coarse + coarse / 2 - offset) / view.scale - from - 0.5;
  const step = coarse / view.scale;
  samplePlane(
    plane,
    { x: start(part.x, view.x, frame.x), y: start(part.y, view.y, frame.y), stepX: step, stepY: step },
    wide,
  );
  softenPlane(wide, sigma / coarse);
  const values = newPlane(part.width, part.height);
  const fine = 1 / coarse;
  const corner = room + 0.5 * fine - 0.5;
  samplePlane(wide, { x: corner, y: corner, stepX: fine, stepY: fine }, values);
  return values;
}

/** @param values one pixel wider than the part on every side */
function lay(
  pixels: Uint8ClampedArray,
  box: Box,
  part: Box,
  { data, width: stride }: Plane,
  { colour: [red, green, blue], outlined }: LayerStyle,
): void {
  for (let y = 0; y < part.height; y++) {
    let to = ((y + part.y - box.y) * box.width + part.x - box.x) * 4;
    let from = (y + 1) * stride + 1;
    for (let x = 0; x < part.width; x++, to += 4, from++) {
      const value = data[from] as number;
      if (value === 0) continue;
      const opacity = outlined && isEdge(data, from, stride) ? outline : (value * tint) / 255;
      const under = ((pixels[to + 3] as number) * (255 - opacity)) / 255;
      const all = opacity + under;
      const share = opacity / all;
      pixels[to] = (pixels[to] as number) * (1 - share) + red * share;
      pixels[to + 1] = (pixels[to + 1] as number) * (1 - share) + green * share;
      pixels[to + 2] = (pixels[to + 2] as number) * (1 - share) + blue * share;
      pixels[to + 3] = all;
    }
  }
}

/** Whether a place is inside and one beside it is not. */
function isEdge(data: Uint8Array, at: number, stride: number): boolean {
  if ((data[at] as number) < 128) return false;
  return (
    (data[at - 1] as number) < 128 ||
    (data[at + 1] as number) < 128 ||
    (data[at - stride] as number) < 128 ||
    (data[at + stride] as number) < 128
  );
}
