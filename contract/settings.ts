import { z } from 'zod';
import { ExportOptions } from './export.ts';
import { maxPromptLength, ProviderName } from './request.ts';

/** Where a newer Impasto is looked for. What is installed comes from there, so nobody on the way may change it. */
const FeedUrl = z
  .url()
  .max(2048)
  .regex(
    /^(https:\/\/[^/\\@?#]+|http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?)([/?#]|$)/i,
    'an https:// address, without a name or password in it',
  );

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
  /** Ways to export that were given a name, for one click on several. */
  exports: z.array(z.strictObject({ name: z.string().trim().min(1).max(100), output: ExportOptions })).max(50),
  /** Prompts that were given a name, to be put into the form. */
  styles: z
    .array(
      z.strictObject({
        name: z.string().trim().min(1).max(100),
        prompt: z.string().max(maxPromptLength),
        negativePrompt: z.string().max(maxPromptLength),
      }),
    )
    .max(500),
  /** Models that were drawn with, the last one first. */
  recentModels: z.array(z.string().min(1).max(4096)).max(50),
  /** What a window keeps for itself: widths of panels, the size of thumbnails, what was folded. */
  view: z.record(z.string().max(64), z.union([z.string().max(1000), z.number(), z.boolean()])),
  theme: z.enum(['system', 'light', 'dark']),
  /** Keys that were bound anew, by action, e.g. `generate` -> `Ctrl+Enter`. */
  shortcuts: z.record(z.string().max(64), z.string().max(64)),
  /** The desktop app looks for a newer Impasto there, once a day; null: nowhere. */
  updates: z.strictObject({ feed: FeedUrl.nullable() }),
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
    exports: [],
    styles: [],
    recentModels: [],
    view: {},
    theme: 'system',
    shortcuts: {},
    updates: { feed: null },
  };
}
