import { floatOf, intOf } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import type { Dim } from '../../onnx/graph.ts';
import { matmul, mul, numberLike, transpose } from '../../onnx/ops.ts';
import type { Application, Rule } from '../rule.ts';

/** Matrix products. */

/** Swaps the last two axes. */
export function turned(x: Value): Value {
  const rank = x.shape.length;
  return transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
}

/** alpha a' b', each of the two as it is or turned. */
function product(a: Value, b: Value, turns: { a: boolean; b: boolean }, alpha: number): Value {
  return a.graph.node({
    op: 'Gemm',
    inputs: [a, b],
    label: 'gemm',
    shape: [a.shape[turns.a ? 1 : 0] as Dim, b.shape[turns.b ? 0 : 1] as Dim],
    attributes: {
      ...(turns.a ? { transA: { type: 'int', value: 1 } as const } : {}),
      ...(turns.b ? { transB: { type: 'int', value: 1 } as const } : {}),
      ...(alpha === 1 ? {} : { alpha: { type: 'float', value: alpha } as const }),
    },
  });
}

/** y = alpha a' b' + beta c. A weight is read as the file holds it: the product asks for it turned. */
function gemmRule(of: Application): ReturnType<Rule> {
  const [a, b, g] = [of.input(0), of.input(1), of.cotangent];
  const turns = { a: intOf(of.node, 'transA', 0) === 1, b: intOf(of.node, 'transB', 0) === 1 };
  const alpha = floatOf(of.node, 'alpha', 1);
  const beta = floatOf(of.node, 'beta', 1);
  return [
    () => (turns.a ? product(b, g, { a: turns.b, b: true }, alpha) : product(g, b, { a: false, b: !turns.b }, alpha)),
    () => (turns.b ? product(g, a, { a: true, b: turns.a }, alpha) : product(a, g, { a: !turns.a, b: false }, alpha)),
    () => (beta === 1 ? g : mul(g, numberLike(g, beta))),
  ];
}

/** y = a b over the last two axes, those before them broadcast. */
function matmulRule(of: Application): ReturnType<Rule> {
  const [a, b, g] = [of.input(0), of.input(1), of.cotangent];
  if (a.shape.length < 2 || b.shape.length < 2) of.unsupported('product of a vector');
  return [() => matmul(g, turned(b)), () => ({ ...matmul(turned(a), g), shape: batched(g, a, b) })];
}

/** The batch is the cotangent's, which has all that was broadcast. */
function batched(g: Value, a: Value, b: Value): Dim[] {
  return [...g.shape.slice(0, -2), a.shape.at(-1) as Dim, b.shape.at(-1) as Dim];
}

export const productRules: Record<string, Rule> = { Gemm: gemmRule, MatMul: matmulRule };
