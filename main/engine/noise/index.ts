import { ImpastoError } from '../../../contract/errors.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import type { NoiseGenerator } from './noise-generator.ts';
import { PhiloxNoise } from './philox.ts';
import { TorchCpuNoise } from './torch-cpu.ts';

export type { NoiseGenerator } from './noise-generator.ts';

/**
 * A fresh noise stream: `cpu` as torch draws it on the CPU, `cuda` as torch draws it on a GPU.
 * @param seed an integer in [0, 2^53)
 * @throws ImpastoError `REQUEST_INVALID` for any other seed.
 */
export function createNoiseGenerator(source: RenderRequest['noise'], seed: number): NoiseGenerator {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `The seed ${seed} is not a whole number from 0 to ${Number.MAX_SAFE_INTEGER}.`,
      'Choose a smaller seed, or fewer pictures: picture i of a batch uses seed + i.',
    );
  }
  return source === 'cpu' ? new TorchCpuNoise(seed) : new PhiloxNoise(seed);
}
