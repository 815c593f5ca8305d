import type { Dim } from './graph.ts';

/**
 * Arithmetic on sizes that are numbers or names. Two expressions of the same sizes give the same name, so that equal
 * names mean equal sizes; different names may still be equal when the graph runs.
 *
 * A name is a product of atoms joined by `*` (`4*height*width`); what is not a product (a sum, a convolution's output)
 * becomes an atom of its own.
 */
export class SizeNames {
  readonly #atoms = new Map<string, string>();

  /** The atom of an expression, given as anything that tells it from others. */
  atom(expression: string): string {
    const known = this.#atoms.get(expression) ?? `~${this.#atoms.size}`;
    this.#atoms.set(expression, known);
    return known;
  }

  sum(sizes: readonly Dim[]): Dim {
    const known = sizes.filter((size) => typeof size === 'number').reduce((a, b) => a + b, 0);
    const named = sizes.filter((size) => typeof size === 'string').sort();
    if (named.length === 0) return known;
    if (named.length === 1 && known === 0) return named[0] as string;
    return this.atom([...named, known].join(' + '));
  }

  product(sizes: readonly Dim[]): Dim {
    return write(factor(sizes));
  }

  /** a / b, which must leave no rest when the graph runs. */
  quotient(a: readonly Dim[], b: readonly Dim[]): Dim {
    const [over, under] = [factor(a), factor(b)];
    for (const atom of under.atoms.splice(0)) {
      const at = over.atoms.indexOf(atom);
      if (at < 0) under.atoms.push(atom);
      else over.atoms.splice(at, 1);
    }
    if (under.atoms.length === 0 && over.number % under.number === 0) {
      return write({ number: over.number / under.number, atoms: over.atoms });
    }
    return this.atom(`${write(over)} / ${write(under)}`);
  }

  /** Of two sizes that are broadcast against each other. */
  broadcast(a: Dim, b: Dim): Dim {
    if (a === b || b === 1) return a;
    if (a === 1) return b;
    // A number above 1 is what results, since the other can only be that or 1.
    if (typeof a === 'number' || isBroadcast(b)) return a;
    if (typeof b === 'number' || isBroadcast(a)) return b;
    return this.atom([a, b].sort().join(' | '));
  }
}

/** Is the axis 1 or as long as what it meets: see {@link Dim}. */
const isBroadcast = (size: Dim): boolean => typeof size === 'string' && size.endsWith('?');

interface Product {
  number: number;
  atoms: string[];
}

function factor(sizes: readonly Dim[]): Product {
  const product: Product = { number: 1, atoms: [] };
  for (const size of sizes) {
    for (const part of String(size).split('*')) {
      if (/^\d+$/.test(part)) product.number *= Number(part);
      else product.atoms.push(part);
    }
  }
  return product;
}

function write({ number, atoms }: Product): Dim {
  if (atoms.length === 0) return number;
  return [...(number === 1 ? [] : [number]), ...atoms.toSorted()].join('*');
}
