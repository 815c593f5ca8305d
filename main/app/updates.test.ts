import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { configureRequestUrl, type DownloadOptions, HttpExecutor } from 'builder-util-runtime';
import electronUpdater from 'electron-updater';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Answer } from '../../contract/routes.ts';
import { defaultSettings, Settings } from '../../contract/settings.ts';
import { followSettings, type Updater, Updates } from './updates.ts';

/** An updater that finds one version, and what was asked of it and of the person. */
function updatesOf(version: string | null, answers: boolean[] = []) {
  const happened: string[] = [];
  const updater: Updater = {
    autoDownload: true,
    autoInstallOnAppQuit: true,
    allowDowngrade: true,
    disableWebInstaller: false,
    setFeedURL: ({ url }) => happened.push(`feed ${url}`),
    checkForUpdates: async () => {
      if (version === 'unreachable') throw new Error('no such host');
      return { isUpdateAvailable: version !== null, updateInfo: { version: version ?? '0.1.0' } };
    },
    downloadUpdate: async () => happened.push(`download, automatic: ${updater.autoDownload}`),
  };
  const updates = new Updates({
    load: async () => {
      happened.push('load');
      return updater;
    },
    ask: async ({ message, detail }) => {
      happened.push(`ask: ${message} ${detail}`);
      return answers.shift() ?? false;
    },
    install: async () => void happened.push('install'),
    log: (line) => happened.push(line),
  });
  onTestFinished(() => updates.follow(null));
  return { updates, updater, happened };
}

describe('updates', () => {
  it('are off until a feed is set: the updater is not even loaded', async () => {
    const { updates, happened } = updatesOf('9.9.9');
    const backend = Object.assign(new EventEmitter(), {
      call: async (): Promise<Answer> => ({ ok: true, output: defaultSettings('/pictures') }),
    });
    await followSettings(backend, updates);
    expect(happened).toEqual([]);
  });

  it('follow the setting as soon as it is changed, and stop when it is taken away', async () => {
    const { updates, happened } = updatesOf(null);
    const settings = { ...defaultSettings('/pictures'), updates: { feed: 'https://updates.example/impasto' } };
    const backend = Object.assign(new EventEmitter(), {
      call: async (): Promise<Answer> => ({ ok: true, output: settings }),
    });
    await followSettings(backend, updates);
    const change = (feed: string | null) =>
      backend.emit('event', { event: 'settings.changed', data: { ...settings, updates: { feed } } });
    change('https://updates.example/impasto');
    change('https://other.example/');
    change(null);
    await updates.follow(null);
    expect(happened).toEqual(['load', 'feed https://updates.example/impasto']);
  });

  it('take and install nothing without a yes, which names where it comes from', async () => {
    const { updates, updater, happened } = updatesOf('9.9.9', [false]);
    await updates.follow('https://updates.example/impasto');
    expect(happened.slice(2)).toEqual([expect.stringContaining('updates.example')]);
    expect(updater).toMatchObject({ autoDownload: false, autoInstallOnAppQuit: false, allowDowngrade: false });
    // Said no once, not asked again for this version.
    await updates.follow(null);
    await updates.follow('https://updates.example/impasto');
    expect(happened.filter((line) => line.startsWith('ask'))).toHaveLength(1);
  });

  it('download after one yes and install after another', async () => {
    const { updates, happened } = updatesOf('9.9.9', [true, true]);
    await updates.follow('https://updates.example/impasto');
    expect(happened.map((line) => line.split(':')[0])).toEqual([
      'load',
      'feed https',
      'ask',
      'download, automatic',
      'ask',
      'install',
    ]);
  });

  it('that cannot be had are told to the log, and disturb nobody', async () => {
    const { updates, happened } = updatesOf('unreachable');
    await updates.follow('https://updates.example/impasto');
    expect(happened.at(-1)).toBe('The update feed https://updates.example/impasto failed: no such host');
  });

  it('come over https only, or from this machine', () => {
    const accepted = (feed: unknown) => Settings.shape.updates.safeParse({ feed }).success;
    expect([null, 'https://updates.example/x', 'http://127.0.0.1:8000/'].map(accepted)).toEqual([true, true, true]);
    for (const feed of [
      'http://updates.example/',
      'http://127.0.0.1.evil.example/',
      'file:///tmp/x',
      'https://name:word@updates.example/',
      'updates.example',
      '',
    ]) {
      expect(accepted(feed), feed).toBe(false);
    }
  });
});

/** electron-updater over Node's own HTTP, since there is no Electron here. */
class NodeExecutor extends HttpExecutor<ReturnType<typeof request>> {
  createRequest(options: object, callback: (response: unknown) => void) {
    return request(options, callback);
  }

  /** As `ElectronHttpExecutor` has it. */
  async download(url: URL, destination: string, options: DownloadOptions): Promise<string> {
    return options.cancellationToken.createPromise((resolve, reject, onCancel) => {
      const where = { headers: options.headers ?? {} };
      configureRequestUrl(url, where);
      const callback = (error: Error | null) => (error ? reject(error) : resolve(destination));
      this.doDownload(where, { destination, options, onCancel, callback, responseHandler: null }, 0);
    });
  }
}

describe('electron-updater as the app uses it, on a feed of this machine', () => {
  const installer = Buffer.from('the installer of a newer version');

  /** A feed as electron-builder publishes it, and the updater of a Debian package of version 0.1.0. */
  async function feedOf(version: string, sha512 = createHash('sha512').update(installer).digest('base64')) {
    const folder = mkdtempSync(join(tmpdir(), 'impasto-updates-'));
    const asked: string[] = [];
    const file = `url: impasto.deb\n    sha512: ${sha512}\n    size: ${installer.length}`;
    const info = `version: ${version}\nfiles:\n  - ${file}\npath: impasto.deb\nsha512: ${sha512}\nreleaseDate: '2026-01-01'\n`;
    const server = createServer(({ url = '' }, response) => {
      asked.push(url.split('?')[0] ?? '');
      if (url.startsWith('/latest-linux')) response.end(info);
      else if (url.startsWith('/impasto.deb')) response.end(installer);
      else response.writeHead(404).end();
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    });
    const made = new electronUpdater.DebUpdater(null, {
      version: '0.1.0',
      name: 'impasto',
      isPackaged: true,
      appUpdateConfigPath: resolve(import.meta.dirname, '../../assets/updates/app-update.yml'),
      userDataPath: folder,
      baseCachePath: folder,
      whenReady: async () => {},
      relaunch: () => {},
      quit: () => {},
      onQuit: () => {},
    });
    made.logger = null;
    Object.assign(made, { httpExecutor: new NodeExecutor() });
    const happened: string[] = [];
    const updates = new Updates({
      load: async () => made,
      ask: async ({ message }) => {
        happened.push(message);
        return true;
      },
      install: async () => void happened.push('install'),
      log: (line) => happened.push(line),
    });
    onTestFinished(() => updates.follow(null));
    await updates.follow(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    return { happened, asked, downloaded: join(folder, 'impasto-updater/pending/impasto.deb') };
  }

  it('finds the newer version and downloads it whole', async () => {
    const { happened, downloaded } = await feedOf('9.9.9');
    expect(happened).toEqual(['Impasto 9.9.9 is there.', 'Impasto 9.9.9 is downloaded.', 'install']);
    expect(readFileSync(downloaded)).toEqual(installer);
  });

  it('asks for nothing where its own version is the newest', async () => {
    const { happened, asked } = await feedOf('0.1.0');
    expect(happened).toEqual([]);
    expect(asked.some((path) => path.endsWith('.deb'))).toBe(false);
  });

  it('installs nothing that is not what the feed promised', async () => {
    const { happened, downloaded } = await feedOf('9.9.9', createHash('sha512').update('another').digest('base64'));
    expect(happened.at(-1)).toContain('checksum mismatch');
    expect(happened).not.toContain('install');
    expect(existsSync(downloaded)).toBe(false);
  });
});
