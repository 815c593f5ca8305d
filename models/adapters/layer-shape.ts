import type { LayerTensors } from './adapter-keys.ts';

/** Sizes of a layer's module as far as the file's shapes tell. */
export interface LayerSize {
  out: number | null;
  input: number | null;
  /** The input side is stored flat, [rank, in * k * k]: `input` is then that product. */
  flat: boolean;
}

export function layerSize({ tensors }: LayerTensors): LayerSize {
  const shape = (role: Parameters<typeof tensors.get>[0]): readonly number[] => tensors.get(role)?.ref.shape ?? [];
  const side = (value: number | undefined): number | null => value ?? null;
  if (tensors.has('diff')) return { out: side(shape('diff')[0]), input: side(shape('diff')[1]), flat: false };
  if (tensors.has('down') || tensors.has('up'))
    return { out: side(shape('up')[0]), input: side(shape('down')[1]), flat: false };
  if (tensors.has('hada_w1_b') || tensors.has('hada_w1_a')) {
    const core = tensors.has('hada_t1');
    return { out: side(shape('hada_w1_a')[core ? 1 : 0]), input: side(shape('hada_w1_b')[1]), flat: !core };
  }
  const core = tensors.has('lokr_t2');
  const first = tensors.has('lokr_w1') ? shape('lokr_w1') : [shape('lokr_w1_a')[0], shape('lokr_w1_b')[1]];
  const second = tensors.has('lokr_w2') ? shape('lokr_w2') : [shape('lokr_w2_a')[core ? 1 : 0], shape('lokr_w2_b')[1]];
  const product = (i: number): number | null => {
    const [a, b] = [first[i], second[i]];
    return a === undefined || b === undefined ? null : a * b;
  };
  return { out: product(0), input: product(1), flat: !core && !tensors.has('lokr_w2') };
}

/** The rank that the file's factors have, as its trainer counts it; null for a delta without rank. */
export function layerRank({ tensors }: LayerTensors): number | null {
  for (const role of ['down', 'hada_w1_b', 'lokr_w1_b', 'lokr_w2_b'] as const) {
    const rank = tensors.get(role)?.ref.shape[0];
    if (rank !== undefined) return rank;
  }
  return null;
}
