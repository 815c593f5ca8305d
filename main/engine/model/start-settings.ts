import { join } from 'node:path';
import { z } from 'zod';
import { GuidanceSettings, RequestFields, SchedulerSettings } from '../../../contract/request.ts';
import type { Checkpoint } from '../../../models/checkpoint/checkpoint.ts';
import { readChecked } from '../../../models/checkpoint/folder/folder-files.ts';

/** What a model's folder may say of itself beside its `model_index.json`: fields of a request, as they are there. */
export const startSettingsFile = 'start_settings.json';

const StartSettings = z.strictObject({
  steps: RequestFields.shape.steps.unwrap().optional(),
  guidance: GuidanceSettings.optional(),
  scheduler: SchedulerSettings.optional(),
});
export type StartSettings = z.infer<typeof StartSettings>;

/**
 * The settings that a model's maker wants it to be drawn with at first; null where the folder says none, or it is no folder.
 * @throws ImpastoError `CONFIG_INVALID`
 */
export async function readStartSettings({
  path,
  layout,
}: Pick<Checkpoint, 'path' | 'layout'>): Promise<StartSettings | null> {
  return layout === 'single-file' ? null : readChecked(join(path, startSettingsFile), StartSettings);
}
