import { asImpastoError } from '../../contract/errors.ts';
import type { ImpastoEvent } from '../../contract/events.ts';
import type { Answer } from '../../contract/routes.ts';
import { Settings } from '../../contract/settings.ts';

/** What is used of electron-updater's `AppUpdater`. */
export interface Updater {
  autoDownload: boolean;
  autoInstallOnAppQuit: boolean;
  allowDowngrade: boolean;
  disableWebInstaller: boolean;
  setFeedURL(feed: { provider: 'generic'; url: string }): void;
  checkForUpdates(): Promise<{ isUpdateAvailable: boolean; updateInfo: { version: string } } | null>;
  downloadUpdate(): Promise<unknown>;
}

export interface UpdatesOptions<Kind extends Updater> {
  /** Loads the updater; never called while no feed is set. */
  load: () => Promise<Kind>;
  /** Asks the person, outside any page: a page that was taken over must not be able to agree. */
  ask: (question: { message: string; detail: string; agree: string }) => Promise<boolean>;
  /** Ends the app and puts the downloaded version in its place. */
  install: (updater: Kind) => Promise<void>;
  log: (line: string) => void;
}

/** Milliseconds between two looks. */
const lookEvery = 24 * 60 * 60 * 1000;

/** Looks for a newer Impasto where a feed is set, and takes nothing that the person has not agreed to. */
export class Updates<Kind extends Updater> {
  readonly #options: UpdatesOptions<Kind>;
  readonly #declined = new Set<string>();
  #feed: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: UpdatesOptions<Kind>) {
    this.#options = options;
  }

  /** Looks at this feed from now on, at once and every day; null: at none. Settles when the look at once is over. */
  follow(feed: string | null): Promise<void> {
    if (feed === this.#feed) return this.#looking;
    this.#feed = feed;
    clearInterval(this.#timer);
    if (feed === null) return this.#looking;
    const look = () => {
      // One after the other: two questions at once would be one too many.
      this.#looking = this.#looking.then(() => this.#look(feed));
      return this.#looking;
    };
    this.#timer = setInterval(() => void look(), lookEvery).unref();
    return look();
  }

  async #look(feed: string): Promise<void> {
    if (feed !== this.#feed) return;
    const { load, ask, install, log } = this.#options;
    try {
      const updater = await load();
      Object.assign(updater, {
        autoDownload: false,
        autoInstallOnAppQuit: false,
        allowDowngrade: false,
        disableWebInstaller: true,
      } satisfies Partial<Updater>);
      updater.setFeedURL({ provider: 'generic', url: feed });
      const found = await updater.checkForUpdates();
      if (!found?.isUpdateAvailable || feed !== this.#feed) return;
      const { version } = found.updateInfo;
      const known = `${feed} ${version}`;
      if (this.#declined.has(known)) return;
      const { host } = new URL(feed);
      const from = `It comes from ${host}, the feed in the settings. Install it only if you trust that address.`;
      if (!(await ask({ message: `Impasto ${version} is there.`, detail: from, agree: 'Download' }))) {
        this.#declined.add(known);
        return;
      }
      await updater.downloadUpdate();
      const detail = 'The step under way is finished first; the queue goes on afterwards.';
      if (await ask({ message: `Impasto ${version} is downloaded.`, detail, agree: 'Install and restart' })) {
        await install(updater);
      } else this.#declined.add(known);
    } catch (thrown) {
      log(`The update feed ${feed} failed: ${asImpastoError(thrown).message}`);
    }
  }
}

/** The working process, as far as its settings are concerned. */
interface SettingsSource {
  call(route: unknown, input: unknown): Promise<Answer>;
  on(name: 'event', listener: (event: ImpastoEvent) => void): unknown;
}

/** Follows the feed that the settings name, now and whenever they change. */
export async function followSettings(
  backend: SettingsSource,
  updates: Pick<Updates<Updater>, 'follow'>,
): Promise<void> {
  backend.on('event', (event) => {
    if (event.event === 'settings.changed') void updates.follow(event.data.updates.feed);
  });
  const answer = await backend.call('settings.get', {});
  if (answer.ok) await updates.follow(Settings.parse(answer.output).updates.feed);
}
