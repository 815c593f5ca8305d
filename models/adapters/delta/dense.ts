import type { Factors } from '../adapter.ts';
import { truncatedSvd } from '../linear-algebra/truncated-svd.ts';
import type { LayerValues, ModuleSize } from './layer-values.ts';

/**
 * A whole delta [out, in * k * k], as of full fine-tuning (LyCORIS `diff`, mostly zeros for sparse methods) or of DoRA:
 * its truncated SVD at the stated energy. Where that would need more than half of all ranks the delta itself stands
 * beside an identity, which holds everything.
 */
export function denseFactors(delta: Float64Array, module: ModuleSize, energy: number): Factors {
  const { out, input, kernel } = module;
  const columns = input * kernel * kernel;
  const svd = truncatedSvd(delta, out, columns, energy);
  if (!svd) {
    return { ...besideIdentity(Float32Array.from(delta), module), scale: 1, origin: { kind: 'svd', energy: 1 } };
  }
  const { rank } = svd;
  const up = new Float32Array(out * rank);
  const down = new Float32Array(rank * columns);
  for (let r = 0; r < rank; r++) {
    const root = Math.sqrt(svd.values[r] as number);
    for (let o = 0; o < out; o++) up[o * rank + r] = root * (svd.left[r * out + o] as number);
    for (let i = 0; i < columns; i++) down[r * columns + i] = root * (svd.right[r * columns + i] as number);
  }
  return { rank, down, up, scale: 1, origin: { kind: 'svd', energy: svd.energy } };
}

export function fullFactors(layer: LayerValues, module: ModuleSize, energy: number): Factors {
  const { out, input, kernel } = module;
  const diff = layer.need('diff', 'delta');
  const shape = kernel === 1 ? [out, input] : [out, input, kernel, kernel];
  layer.check('diff', diff, shape, `the module is [${shape.join(', ')}]`);
  return denseFactors(Float64Array.from(diff.data), module, energy);
}

/** A dense delta [out, in * k * k] as factors: itself and an identity, on the side that makes the rank smaller. */
export function besideIdentity(
  delta: Float32Array,
  { out, input, kernel }: ModuleSize,
): Pick<Factors, 'rank' | 'down' | 'up'> {
  const identity = (n: number): Float32Array => {
    const eye = new Float32Array(n * n);
    for (let i = 0; i < n; i++) eye[i * n + i] = 1;
    return eye;
  };
  if (kernel === 1 && input < out) return { rank: input, down: identity(input), up: delta };
  return { rank: out, down: delta, up: identity(out) };
}
