import sharp, { type OverlayOptions } from 'sharp';
import { drawLabel } from '../../main/queue/grid/sheet-label.ts';
import type { Picture } from './picture.ts';

export interface SheetPicture {
  picture: Picture;
  caption: string;
  /** Framed green or red; null: not framed. */
  right: boolean | null;
}

export interface SheetRow {
  label: string;
  pictures: readonly SheetPicture[];
}

const cell = 160;
const frame = 4;
const captionHeight = 44;
const labelWidth = 190;
const space = 6;
const colours = { right: '#2e9e5b', wrong: '#d2452f', none: '#ffffff' };

/** Rows of pictures, each with its label to the left and captions below, as a PNG. */
export async function contactSheet(rows: readonly SheetRow[]): Promise<Buffer> {
  const columns = Math.max(1, ...rows.map(({ pictures }) => pictures.length));
  const rowHeight = cell + captionHeight + space;
  const width = labelWidth + columns * (cell + space) + space;
  const height = space + rows.length * rowHeight;
  const layers: OverlayOptions[] = [];
  for (const [index, { label, pictures }] of rows.entries()) {
    const top = space + index * rowHeight;
    layers.push({ ...(await text(label, labelWidth - space, cell, 14)), left: 0, top });
    for (const [column, { picture, caption, right }] of pictures.entries()) {
      const left = labelWidth + column * (cell + space);
      layers.push({ ...(await framed(picture, right)), left, top });
      layers.push({ ...(await text(caption, cell, captionHeight, 11)), left, top: top + cell });
    }
  }
  return sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
    .composite(layers)
    .png()
    .toBuffer();
}

async function text(words: string, width: number, height: number, fontSize: number): Promise<OverlayOptions> {
  const { data } = await drawLabel({ text: words, width, height, fontSize });
  return { input: data, raw: { width, height, channels: 3 } };
}

async function framed({ width, height, rgb }: Picture, right: boolean | null): Promise<OverlayOptions> {
  const inner = cell - 2 * frame;
  const background = right === null ? colours.none : right ? colours.right : colours.wrong;
  const input = await sharp(rgb, { raw: { width, height, channels: 3 } })
    .resize(inner, inner, { fit: 'contain', background })
    .extend({ top: frame, bottom: frame, left: frame, right: frame, background })
    .png()
    .toBuffer();
  return { input };
}
