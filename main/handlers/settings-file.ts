import { existsSync, readFileSync, renameSync } from 'node:fs';
import type { EngineWarning } from '../../contract/engine.ts';
import { asImpastoError } from '../../contract/errors.ts';
import { defaultSettings, Settings, type SettingsChange } from '../../contract/settings.ts';
import { writeFileAtomic } from '../library/files/atomic-write.ts';

/** The settings, in one JSON file. */
export class SettingsFile {
  readonly #path: string;
  readonly #listeners: ((settings: Settings) => void)[] = [];
  #settings: Settings;
  #writing: Promise<unknown> = Promise.resolve();
  /** What was wrong with the file; the defaults hold then, and the file is kept beside. */
  readonly warnings: EngineWarning[] = [];

  constructor(path: string, picturesFolder: string) {
    this.#path = path;
    this.#settings = defaultSettings(picturesFolder);
    if (!existsSync(path)) return;
    try {
      this.#settings = Settings.parse({ ...this.#settings, ...JSON.parse(readFileSync(path, 'utf8')) });
    } catch (thrown) {
      const kept = `${path}.damaged`;
      renameSync(path, kept);
      this.warnings.push({
        code: 'SETTINGS_DAMAGED',
        message: `The settings could not be read (${reason(thrown)}): they begin anew, and the file was kept as ${kept}.`,
      });
    }
  }

  get(): Settings {
    return this.#settings;
  }

  onChange(listener: (settings: Settings) => void): void {
    this.#listeners.push(listener);
  }

  /** @throws ImpastoError `DISK_FULL`, `WRITE_FAILED`; the settings stay as they were then */
  async set(change: SettingsChange): Promise<Settings> {
    // One after the other, each on what the one before it left.
    const write = this.#writing.then(async () => {
      const given = Object.entries(change).filter(([, value]) => value !== undefined);
      const settings = Settings.parse({ ...this.#settings, ...Object.fromEntries(given) });
      await writeFileAtomic(this.#path, Buffer.from(`${JSON.stringify(settings, null, 2)}\n`), { overwrite: true });
      this.#settings = settings;
      for (const listener of this.#listeners) listener(settings);
      return settings;
    });
    this.#writing = write.catch(() => {});
    return await write;
  }
}

function reason(thrown: unknown): string {
  if (thrown instanceof Error && 'issues' in thrown) {
    const [issue] = thrown.issues as { path: PropertyKey[]; message: string }[];
    return `${issue?.path.map(String).join('.')}: ${issue?.message}`;
  }
  return asImpastoError(thrown).message;
}
