/** A mask over the latent at every level of the UNet: each level is half the one before, rounded up. */
export interface MaskPyramid {
  levels: readonly MaskPlane[];
  /** Mean over the latent: what acts where there is no place, such as the timestep's layers. */
  mean: number;
}

export interface MaskPlane {
  /** [height, width] */
  data: Float32Array;
  height: number;
  width: number;
}

/** Brings a plane to a size by the mean of the area under each cell; sizes need not divide. */
export function areaAverage(plane: MaskPlane, height: number, width: number): MaskPlane {
  if (plane.height === height && plane.width === width) return plane;
  const rows = averageRows(plane, height);
  const columns = averageRows(turned(rows), width);
  return turned(columns);
}

/** The pyramid below a mask at the latent's size. */
export function maskPyramid(mask: MaskPlane, levels: number): MaskPyramid {
  const planes = [mask];
  for (let level = 1; level < levels; level++) planes.push(halved(planes[level - 1] as MaskPlane));
  return { levels: planes, mean: mask.data.reduce((sum, value) => sum + value, 0) / mask.data.length };
}

/** Cell i of the half covers cells 2i and 2i + 1; a last odd one stands alone, as a stride of two has it. */
function halved({ data, height, width }: MaskPlane): MaskPlane {
  const [rows, columns] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const half = new Float32Array(rows * columns);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      let count = 0;
      for (let row = 2 * y; row < Math.min(2 * y + 2, height); row++) {
        for (let column = 2 * x; column < Math.min(2 * x + 2, width); column++) {
          sum += data[row * width + column] as number;
          count += 1;
        }
      }
      half[y * columns + x] = sum / count;
    }
  }
  return { data: half, height: rows, width: columns };
}

function averageRows({ data, height, width }: MaskPlane, rows: number): MaskPlane {
  const averaged = new Float32Array(rows * width);
  const scale = height / rows;
  for (let row = 0; row < rows; row++) {
    const [top, bottom] = [row * scale, (row + 1) * scale];
    for (let y = Math.floor(top); y < Math.min(height, Math.ceil(bottom)); y++) {
      const share = (Math.min(y + 1, bottom) - Math.max(y, top)) / scale;
      for (let x = 0; x < width; x++) {
        const at = row * width + x;
        averaged[at] = (averaged[at] as number) + share * (data[y * width + x] as number);
      }
    }
  }
  return { data: averaged, height: rows, width };
}

function turned({ data, height, width }: MaskPlane): MaskPlane {
  const turn = new Float32Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) turn[x * height + y] = data[y * width + x] as number;
  }
  return { data: turn, height: width, width: height };
}
