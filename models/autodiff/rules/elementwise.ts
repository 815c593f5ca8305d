import type { Value } from '../../onnx/builder.ts';
import { add, cast, cos, div, erf, exp, log, mul, neg, numberLike, sin, sub, where } from '../../onnx/ops.ts';
import type { Application, Rule } from '../rule.ts';

/** Operators on elements, one input or two that are broadcast. */

/** g times the derivative at x, which may be given by y = f(x). */
const unary = (derivative: (x: Value, y: Value) => Value): Rule => {
  return (of) => [() => mul(of.cotangent, derivative(of.input(), of.output()))];
};

/** The derivative of x Phi(x), Phi being the normal distribution: Phi(x) + x phi(x). */
function geluDerivative(x: Value): Value {
  const below = add(erf(mul(x, numberLike(x, Math.SQRT1_2))), numberLike(x, 1));
  const density = exp(mul(mul(x, x), numberLike(x, -0.5)));
  return add(mul(below, numberLike(x, 0.5)), mul(mul(x, density), numberLike(x, 1 / Math.sqrt(2 * Math.PI))));
}

function powRule(of: Application): ReturnType<Rule> {
  const [x, exponent] = [of.input(0), of.input(1)];
  const power = (a: Value, b: Value): Value =>
    x.graph.node({ op: 'Pow', inputs: [a, b], label: 'pow', shape: of.output().shape, dtype: x.dtype });
  const inType = () => cast(exponent, x.dtype);
  return [
    () => mul(of.cotangent, mul(power(x, sub(inType(), numberLike(x, 1))), inType())),
    () => cast(mul(of.cotangent, mul(of.output(), log(x))), exponent.dtype),
  ];
}

export const elementwiseRules: Record<string, Rule> = {
  Add: (of) => [() => of.cotangent, () => of.cotangent],
  Sub: (of) => [() => of.cotangent, () => neg(of.cotangent)],
  Mul: (of) => [() => mul(of.cotangent, of.input(1)), () => mul(of.cotangent, of.input(0))],
  Div: (of) => [() => div(of.cotangent, of.input(1)), () => neg(div(mul(of.cotangent, of.output()), of.input(1)))],
  Sum: (of) => of.node.inputs.map(() => () => of.cotangent),
  Pow: powRule,
  Where: (of) => {
    const zero = () => numberLike(of.output(), 0);
    const chosen = (yes: Value, no: Value): Value => ({
      ...where(of.input(0), yes, no),
      shape: of.output().shape,
      dtype: of.output().dtype,
    });
    return [null, () => chosen(of.cotangent, zero()), () => chosen(zero(), of.cotangent)];
  },

  Identity: (of) => [() => of.cotangent],
  Cast: (of) => [() => cast(of.cotangent, of.input().dtype)],
  Neg: (of) => [() => neg(of.cotangent)],
  Reciprocal: (of) => [() => neg(mul(of.cotangent, mul(of.output(), of.output())))],
  Sqrt: (of) => [() => div(mul(of.cotangent, numberLike(of.output(), 0.5)), of.output())],
  Log: (of) => [() => div(of.cotangent, of.input())],
  Exp: unary((_, y) => y),
  Sin: unary((x) => cos(x)),
  Cos: unary((x) => neg(sin(x))),
  Erf: unary((x) => mul(exp(neg(mul(x, x))), numberLike(x, 2 / Math.sqrt(Math.PI)))),
  Tanh: unary((_, y) => sub(numberLike(y, 1), mul(y, y))),
  Sigmoid: unary((_, y) => mul(y, sub(numberLike(y, 1), y))),
  Gelu: unary(geluDerivative),
};
