import { z } from 'zod';
import { ExportOptions } from './export.ts';
import { ProviderName } from './request.ts';

/** What a person has chosen once for all jobs; kept in one file of the data folder. */
export const Settings = z.strictObject({
  /** How pictures are written where a job does not say otherwise. */
  output: ExportOptions,
  /** What a request's `auto` means; heard when the engine next starts. */
  provider: z.union([z.literal('auto'), ProviderName]),
  /** Bytes that the engine may hold, null: most of what is free; heard when the engine next starts. */
  memoryBudget: z
    .number()
    .int()
    .min(2 ** 28)
    .nullable(),
  /** Steps between previews, 0: none; heard when Impasto next starts. */
  previewEvery: z.number().int().min(0).max(100),
  theme: z.enum(['system', 'light', 'dark']),
  /** Keys that were bound anew, by action, e.g. `generate` -> `Ctrl+Enter`. */
  shortcuts: z.record(z.string().max(64), z.string().max(64)),
});
export type Settings = z.infer<typeof Settings>;

/** Only what is to change. */
export const SettingsChange = Settings.partial();
export type SettingsChange = z.infer<typeof SettingsChange>;

/** Settings of somebody who has not chosen any yet. */
export function defaultSettings(picturesFolder: string): Settings {
  return {
    output: ExportOptions.parse({ folder: picturesFolder }),
    provider: 'auto',
    memoryBudget: null,
    previewEvery: 1,
    theme: 'system',
    shortcuts: {},
  };
}
