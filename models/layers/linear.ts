import type { Value } from '../onnx/builder.ts';
import type { Dim } from '../onnx/graph.ts';
import { concat, gemm, reshape, reshapeTo, shapeOf } from '../onnx/ops.ts';

/**
 * y = x W^T + b with the current module's `weight` [out, in] and `bias`, for x [..., in].
 *
 * Written as Reshape -> Gemm -> Reshape: Gemm takes the weight as the file holds it, while a MatMul would want its
 * transpose, which doubles its memory. The Gemm bears the module path, so that a pass finds `...attn1.to_q`.
 */
export function linear(x: Value): Value {
  const g = x.graph;
  const ref = g.weightRef('weight');
  // A 1x1 convolution's weight [out, in, 1, 1] is the same bytes.
  const [out, width] = [ref.shape[0] as number, ref.shape.slice(1).reduce((a, b) => a * b, 1)];
  const weight = ref.transposed ? g.weight('weight', [width, out]) : g.weight('weight', [out, width]);
  const bias = g.hasWeight('bias') ? g.weight('bias') : null;
  if (x.shape.length === 2) return gemm(x, weight, bias, ref.transposed === true);
  const leading = x.shape.slice(0, -1);
  const flat = reshape(x, [-1, width], ['rows', width], 'flatten');
  const y = gemm(flat, weight, bias, ref.transposed === true);
  return unflatten(y, x, leading, out);
}

/** [rows, out] back to [...leading, out], the leading sizes taken from `like`. */
function unflatten(y: Value, like: Value, leading: readonly Dim[], out: number): Value {
  const g = y.graph;
  const sizes = g.memo(`sizes ${like.name} ${out}`, () =>
    concat([shapeOf(like, 0, leading.length), g.constant('int64', [out], [1])], 0, 'sizes'),
  );
  return reshapeTo(y, sizes, [...leading, out], 'unflatten');
}
