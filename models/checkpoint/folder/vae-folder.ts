import { join } from 'node:path';
import type { Family } from '../checkpoint.ts';
import { scalingFactors } from '../single-file/infer-vae.ts';
import { diffusersVae, fitVae, type VaeHalves } from '../single-file/vae-part.ts';
import type { Findings } from '../survey.ts';
import { parseVaeConfig } from './diffusers-config.ts';
import { requireConfig } from './folder-config.ts';
import { type FolderWeights, readFolderWeights } from './folder-weights.ts';

/**
 * A VAE as a diffusers folder with its own `config.json`.
 * @throws ImpastoError `PART_MISSING`, `CONFIG_INVALID`, `UNKNOWN_ARCHITECTURE` and what reading its weights gives.
 */
export async function surveyVaeFolder(
  folder: string,
  family: Family,
  findings: Findings,
  variant?: string,
): Promise<{ halves: VaeHalves; weights: FolderWeights }> {
  const path = join(folder, 'config.json');
  const json = await requireConfig(path, 'VAE', ['AutoencoderKL']);
  const config = parseVaeConfig(json, path, scalingFactors[family]);
  // diffusers' pipelines ask it of SDXL's VAE only, whatever the config's default.
  config.forceUpcast &&= family === 'sdxl';
  const weights = await readFolderWeights(folder, 'VAE', 'diffusion_pytorch_model', variant);
  return { halves: fitVae(diffusersVae(folder, weights.tensors), config, findings), weights };
}
