import sharp from 'sharp';
import type { EngineWarning } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import { GridSpec, type Job } from '../../../contract/queue.ts';
import { axisLabels, type Cell } from './axes.ts';
import { drawLabel, fontsThere, type Label } from './sheet-label.ts';

export interface Sheet {
  png: Uint8Array;
  width: number;
  height: number;
  warnings: EngineWarning[];
}

/** RGB bytes, row by row. */
interface Bitmap {
  data: Buffer;
  width: number;
  height: number;
}

/** More pixels than this are no sheet that anybody can open. */
const mostPixels = 120e6;
const longestSide = 16_384;
const smallestCell = 16;
const space = 8;
const background = 0xff;

/**
 * Lays the pictures of a grid on one sheet: x across, y down, z as blocks below each other, each labelled. A cell whose
 * job has no picture says why. Pictures are made smaller to fit, never larger.
 * @param spec the grid as it was asked for
 * @param jobs the grid's jobs
 * @throws ImpastoError `REQUEST_INVALID` where it is no grid, or none of its pictures can be read
 */
export async function drawSheet(spec: unknown, jobs: readonly Job[]): Promise<Sheet> {
  const parsed = GridSpec.safeParse(spec);
  const placed = new Map(jobs.flatMap((job) => (job.origin.cell ? [[key(job.origin.cell), job] as const] : [])));
  if (!parsed.success || placed.size === 0) {
    throw new ImpastoError('REQUEST_INVALID', 'The grid of this sheet is not in the queue any more.', 'Add it again.');
  }
  const grid = parsed.data;
  const warnings: EngineWarning[] = [];
  const [columns, rows, blocks] = [grid.x, grid.y, grid.z].map((axis) => (axis ? axisLabels(axis) : [''])) as [
    string[],
    string[],
    string[],
  ];
  const largest = largestPicture(jobs);
  if (!largest) {
    throw new ImpastoError('REQUEST_INVALID', 'None of the pictures of this grid was drawn.', 'Try its jobs again.');
  }
  const layout = sheetLayout(grid, largest, columns.length, rows.length, blocks.length);
  if (layout.shrunk) {
    const message = `The sheet's cells are ${layout.cellWidth}x${layout.cellHeight} pixels, so that it can still be opened.`;
    warnings.push({ code: 'SHEET_SHRUNK', message });
  }
  if (!(await fontsThere())) {
    warnings.push({ code: 'NO_FONTS', message: 'This system has no fonts: the labels of the sheet are empty.' });
  }
  const { width, height, cellWidth, cellHeight } = layout;
  const sheet: Bitmap = { data: Buffer.alloc(width * height * 3, background), width, height };
  const label = async (text: string, left: number, top: number, size: Omit<Label, 'text'>) => {
    if (text) paste(sheet, await drawLabel({ text, ...size }), left, top);
  };
  for (const [z, blockLabel] of blocks.entries()) {
    const top = space + z * layout.blockHeight;
    await label(blockLabel, layout.left, top, { width: width - layout.left - space, height: layout.blockLabel });
    const columnTop = top + layout.blockLabel;
    for (const [x, columnLabel] of columns.entries()) {
      const left = layout.left + x * (cellWidth + space);
      await label(columnLabel, left, columnTop, { width: cellWidth, height: layout.columnLabel });
    }
    for (const [y, rowLabel] of rows.entries()) {
      const rowTop = columnTop + layout.columnLabel + y * (cellHeight + space);
      await label(rowLabel, space, rowTop, { width: layout.left - 2 * space, height: cellHeight });
      for (const x of columns.keys()) {
        const job = placed.get(key([x, y, z]));
        const bitmap = await cellBitmap(job, cellWidth, cellHeight, warnings);
        const left = layout.left + x * (cellWidth + space);
        paste(sheet, bitmap, left + ((cellWidth - bitmap.width) >> 1), rowTop + ((cellHeight - bitmap.height) >> 1));
      }
    }
  }
  const png = await sharp(sheet.data, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .png()
    .toBuffer();
  return { png, width, height, warnings };
}

const key = (cell: Readonly<Cell>) => cell.join();

function largestPicture(jobs: readonly Job[]): { width: number; height: number } | null {
  const pictures = jobs.flatMap(({ pictures }) => pictures.slice(0, 1));
  if (pictures.length === 0) return null;
  return {
    width: Math.max(...pictures.map(({ width }) => width)),
    height: Math.max(...pictures.map(({ height }) => height)),
  };
}

interface Layout {
  cellWidth: number;
  cellHeight: number;
  /** Where the first column begins; to its left stand the labels of the rows. */
  left: number;
  columnLabel: number;
  blockLabel: number;
  blockHeight: number;
  width: number;
  height: number;
  shrunk: boolean;
}

function sheetLayout(
  grid: GridSpec,
  picture: { width: number; height: number },
  columns: number,
  rows: number,
  blocks: number,
): Layout {
  const longest = Math.max(picture.width, picture.height);
  for (let side = Math.min(grid.cell, longest), shrunk = false; ; side = Math.floor(side * 0.9), shrunk = true) {
    const cellWidth = Math.max(1, Math.round((picture.width * side) / longest));
    const cellHeight = Math.max(1, Math.round((picture.height * side) / longest));
    const left = grid.y ? space * 2 + Math.min(240, Math.max(64, cellWidth)) : space;
    const columnLabel = Math.min(64, Math.max(24, Math.round(cellHeight / 4)));
    const blockLabel = grid.z ? 40 : 0;
    const blockHeight = blockLabel + columnLabel + rows * (cellHeight + space) + (grid.z ? space : 0);
    const width = left + columns * (cellWidth + space);
    const height = space + blocks * blockHeight;
    const fits = width * height <= mostPixels && width <= longestSide && height <= longestSide;
    if (fits || side <= smallestCell) {
      return { cellWidth, cellHeight, left, columnLabel, blockLabel, blockHeight, width, height, shrunk };
    }
  }
}

async function cellBitmap(
  job: Job | undefined,
  width: number,
  height: number,
  warnings: EngineWarning[],
): Promise<Bitmap> {
  const picture = job?.pictures[0];
  if (job && picture) {
    try {
      const { data, info } = await sharp(picture.path)
        .resize(width, height, { fit: 'inside', withoutEnlargement: true })
        .flatten({ background: '#ffffff' })
        .toColourspace('srgb')
        .removeAlpha()
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true });
      return { data, width: info.width, height: info.height };
    } catch {
      warnings.push({ code: 'CELL_MISSING', message: `${picture.path} cannot be read: its cell is empty.` });
      return drawLabel({ text: 'the file cannot be read', width, height });
    }
  }
  const text = job?.error?.message ?? job?.state ?? 'not drawn';
  warnings.push({ code: 'CELL_MISSING', message: `Job ${job?.id ?? '?'} has no picture: ${text}` });
  return drawLabel({ text, width, height });
}

function paste(sheet: Bitmap, bitmap: Bitmap, left: number, top: number): void {
  const visible = Math.min(bitmap.width, sheet.width - left);
  for (let row = 0; row < Math.min(bitmap.height, sheet.height - top); row += 1) {
    const from = row * bitmap.width * 3;
    bitmap.data.copy(sheet.data, ((top + row) * sheet.width + left) * 3, from, from + visible * 3);
  }
}
