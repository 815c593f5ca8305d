import type { LatentShape } from './conditioning.ts';
import type { Planes, Posterior, VaeNetwork } from './vae-network.ts';

/** A run of one axis: [start, end) of the whole, and how much of each end blends into its neighbours. */
interface Span {
  start: number;
  end: number;
}

/** Spans of `tile` that cover `size` with at least `overlap` shared, all of one length. */
export function tileSpans(size: number, tile: number, overlap: number): Span[] {
  if (size <= tile) return [{ start: 0, end: size }];
  const count = Math.ceil((size - overlap) / (tile - overlap));
  return Array.from({ length: count }, (_, index) => {
    const start = Math.round((index * (size - tile)) / (count - 1));
    return { start, end: start + tile };
  });
}

/**
 * Weight of each place of a span: rising over the part shared with the neighbour before and falling over the part
 * shared with the one after, so that the weights of all tiles, normalised, blend without a seam.
 */
function ramp(spans: readonly Span[], index: number, scale: number): Float32Array {
  const span = spans[index] as Span;
  const length = (span.end - span.start) * scale;
  const before = index > 0 ? ((spans[index - 1] as Span).end - span.start) * scale : 0;
  const after = index < spans.length - 1 ? (span.end - (spans[index + 1] as Span).start) * scale : 0;
  return Float32Array.from({ length }, (_, at) =>
    Math.min(1, before > 0 ? (at + 0.5) / before : 1, after > 0 ? (length - at - 0.5) / after : 1),
  );
}

/** Latent cells a side of a tile, and shared between neighbours: 512 and 128 pixels at factor 8. */
export interface TileOptions {
  tile: number;
  overlap: number;
  onTile?: (done: number, of: number) => void | Promise<void>;
}

/** {@link VaeNetwork.decode} in overlapping tiles: the memory of one tile, whatever the picture's size. */
export async function decodeTiled(
  vae: VaeNetwork,
  latent: Float32Array,
  shape: LatentShape,
  options: TileOptions,
): Promise<Planes> {
  const [channels, height, width] = shape;
  const { factor } = vae;
  const whole = new Blend(3, height * factor, width * factor);
  const rows = tileSpans(height, options.tile, options.overlap);
  const columns = tileSpans(width, options.tile, options.overlap);
  let done = 0;
  for (const [y, row] of rows.entries()) {
    for (const [x, column] of columns.entries()) {
      const part = crop(latent, shape, row, column);
      const planes = await vae.decode(part, [channels, row.end - row.start, column.end - column.start]);
      whole.add(
        planes.data,
        row.start * factor,
        column.start * factor,
        ramp(rows, y, factor),
        ramp(columns, x, factor),
      );
      await options.onTile?.(++done, rows.length * columns.length);
    }
  }
  return { data: whole.finish(), height: height * factor, width: width * factor };
}

/** {@link VaeNetwork.encode} in overlapping tiles. */
export async function encodeTiled(vae: VaeNetwork, pixels: Planes, options: TileOptions): Promise<Posterior> {
  const { factor } = vae;
  const height = pixels.height / factor;
  const width = pixels.width / factor;
  const channels = vae.config.latentChannels;
  const mean = new Blend(channels, height, width);
  const logVariance = new Blend(channels, height, width);
  let hasVariance = true;
  const rows = tileSpans(height, options.tile, options.overlap);
  const columns = tileSpans(width, options.tile, options.overlap);
  let done = 0;
  for (const [y, row] of rows.entries()) {
    for (const [x, column] of columns.entries()) {
      const scaled = (span: Span) => ({ start: span.start * factor, end: span.end * factor });
      const part = crop(pixels.data, [3, pixels.height, pixels.width], scaled(row), scaled(column));
      const posterior = await vae.encode({
        data: part,
        height: (row.end - row.start) * factor,
        width: (column.end - column.start) * factor,
      });
      mean.add(posterior.mean, row.start, column.start, ramp(rows, y, 1), ramp(columns, x, 1));
      if (posterior.logVariance) {
        logVariance.add(posterior.logVariance, row.start, column.start, ramp(rows, y, 1), ramp(columns, x, 1));
      } else hasVariance = false;
      await options.onTile?.(++done, rows.length * columns.length);
    }
  }
  return {
    mean: mean.finish(),
    logVariance: hasVariance ? logVariance.finish() : null,
    shape: [channels, height, width],
  };
}

function crop(data: Float32Array, shape: LatentShape, row: Span, column: Span): Float32Array {
  const [channels, height, width] = shape;
  const part = new Float32Array(channels * (row.end - row.start) * (column.end - column.start));
  let offset = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let y = row.start; y < row.end; y++) {
      const start = (channel * height + y) * width;
      part.set(data.subarray(start + column.start, start + column.end), offset);
      offset += column.end - column.start;
    }
  }
  return part;
}

/** A weighted sum of tiles over [channels, height, width]. */
class Blend {
  readonly #sum: Float32Array;
  readonly #weight: Float32Array;
  readonly #channels: number;
  readonly #height: number;
  readonly #width: number;

  constructor(channels: number, height: number, width: number) {
    this.#channels = channels;
    this.#height = height;
    this.#width = width;
    this.#sum = new Float32Array(channels * height * width);
    this.#weight = new Float32Array(height * width);
  }

  add(tile: Float32Array, top: number, left: number, rows: Float32Array, columns: Float32Array): void {
    const [h, w] = [rows.length, columns.length];
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        const weight = (rows[y] as number) * (columns[x] as number);
        const place = (top + y) * this.#width + left + x;
        this.#weight[place] = (this.#weight[place] as number) + weight;
        for (let channel = 0; channel < this.#channels; channel++) {
          const index = channel * this.#height * this.#width + place;
          this.#sum[index] = (this.#sum[index] as number) + weight * (tile[(channel * h + y) * w + x] as number);
        }
      }
    }
  }

  finish(): Float32Array {
    const plane = this.#height * this.#width;
    for (let index = 0; index < this.#sum.length; index++) {
      this.#sum[index] = (this.#sum[index] as number) / (this.#weight[index % plane] as number);
    }
    return this.#sum;
  }
}
