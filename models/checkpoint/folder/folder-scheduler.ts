import { join } from 'node:path';
import type { PredictionType } from '../../../contract/request.ts';
import type { Checkpoint, Family } from '../checkpoint.ts';
import type { SchedulerConfig } from '../component-config.ts';
import { familySchedulerConfig, parseSchedulerConfig } from '../scheduler-config.ts';
import { readJson } from './folder-files.ts';

export interface FolderScheduler {
  scheduler: SchedulerConfig;
  from: Checkpoint['predictionTypeFrom'];
  note: string | null;
}

/**
 * A folder's scheduler config, or the family's where it has none.
 * @param setting The caller's prediction type, which overrides the config's.
 * @throws ImpastoError `CONFIG_INVALID` or `UNKNOWN_ARCHITECTURE`.
 */
export async function folderScheduler(
  folder: string,
  family: Family,
  setting: PredictionType | undefined,
): Promise<FolderScheduler> {
  const path = join(folder, 'scheduler', 'scheduler_config.json');
  const json = await readJson(path);
  if (json === null) {
    const scheduler = familySchedulerConfig(family, setting ?? 'epsilon', false);
    const note = `${path} is missing: the family's own noise schedule is used${setting ? '' : ', predicting epsilon'}.`;
    return { scheduler, from: setting ? 'setting' : 'family-default', note };
  }
  const { scheduler: stated, saysPredictionType } = parseSchedulerConfig(json, path);
  const scheduler = family === 'sdxl' ? stated : asStableDiffusion(stated);
  if (setting) return { scheduler: { ...scheduler, predictionType: setting }, from: 'setting', note: null };
  return { scheduler, from: saysPredictionType ? 'config' : 'family-default', note: null };
}

/**
 * SD1 and SD2 were trained with timesteps from 1 on and latents that exceed [-1, 1]. Configs from before that was
 * settled say otherwise or nothing; diffusers' StableDiffusionPipeline corrects them, whatever they say, and so do we.
 */
function asStableDiffusion(config: SchedulerConfig): SchedulerConfig {
  const corrected: readonly (keyof SchedulerConfig)[] = ['stepsOffset', 'clipSample'];
  const unspecified = (config.unspecified ?? []).filter((field) => !corrected.includes(field));
  return { ...config, stepsOffset: 1, clipSample: false, unspecified };
}
