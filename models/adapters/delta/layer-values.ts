import { ImpastoError } from '../../../contract/errors.ts';
import type { FactorValues } from '../adapter.ts';
import type { Role } from '../adapter-keys.ts';

/** The module that a delta is for. */
export interface ModuleSize {
  out: number;
  input: number;
  /** Side of the kernel; 1 for a Linear, which is a 1x1 convolution byte for byte. */
  kernel: number;
}

export interface Values {
  shape: readonly number[];
  data: FactorValues;
}

/** The tensors of one layer, read. */
export class LayerValues {
  /** Named in errors. */
  readonly file: string;
  readonly stem: string;
  private readonly values: ReadonlyMap<Role, Values>;

  constructor(file: string, stem: string, values: ReadonlyMap<Role, Values>) {
    this.file = file;
    this.stem = stem;
    this.values = values;
  }

  get(role: Role): Values | undefined {
    return this.values.get(role);
  }

  has(role: Role): boolean {
    return this.values.has(role);
  }

  need(role: Role, meaning: string): Values {
    const found = this.values.get(role);
    if (!found) throw this.invalid(`lacks its ${meaning}`);
    return found;
  }

  /** Throws where a tensor does not have the shape [a, b] or, with `kernel`, [a, b, k, k]; -1 matches any side. */
  check(role: Role, found: Values, expected: readonly number[], why: string): void {
    const { shape } = found;
    const trailing = shape.slice(expected.length);
    const fits = shape.length >= expected.length && trailing.every((side) => side === 1);
    if (fits && expected.every((side, i) => side === -1 || side === shape[i])) return;
    throw this.invalid(`has '${role}' of shape [${shape.join(', ')}]: ${why}`);
  }

  invalid(what: string): ImpastoError {
    return new ImpastoError(
      'ADAPTER_INVALID',
      `${this.file}: the layer '${this.stem}' ${what}.`,
      'The file is damaged or was made by a tool that writes it otherwise: export it again or get another version.',
    );
  }
}

/** The scale of a layer whose factors have this rank; null: the file shows none. */
export type ScaleOf = (rank: number | null) => number;
