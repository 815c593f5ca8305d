import type { AdapterAlgorithm } from '../../contract/adapter.ts';
import type { LayerTensors, Role } from './adapter-keys.ts';

/** A layer's algorithm by the tensors it has; null where it has none but an alpha, a bias or a norm. */
export function layerAlgorithm({ tensors }: LayerTensors): Exclude<AdapterAlgorithm, 'mixed'> | null {
  const any = (...roles: Role[]): boolean => roles.some((role) => tensors.has(role));
  if (any('dora_scale', 'magnitude')) return 'dora';
  const inner = innerAlgorithm({ tensors });
  if (inner !== 'lora') return inner;
  const kernel = tensors.get('down')?.ref.shape[2] ?? 1;
  return any('mid') || kernel > 1 ? 'locon' : 'lora';
}

/** The same without the magnitude: how its low-rank delta is written. */
export function innerAlgorithm({ tensors }: Pick<LayerTensors, 'tensors'>): 'lora' | 'loha' | 'lokr' | 'full' | null {
  for (const role of tensors.keys()) {
    if (role === 'down' || role === 'up' || role === 'mid') return 'lora';
    if (role.startsWith('hada_')) return 'loha';
    if (role.startsWith('lokr_')) return 'lokr';
    if (role === 'diff') return 'full';
  }
  return null;
}

/** LoCon is LoRA with convolutions among its layers; other mixtures are `mixed`. */
export function fileAlgorithm(layers: readonly LayerTensors[]): AdapterAlgorithm {
  const found = new Set(layers.map(layerAlgorithm).filter((name) => name !== null));
  if (found.has('locon')) found.delete('lora');
  const [first = 'lora', ...more] = found;
  return more.length > 0 ? 'mixed' : first;
}
