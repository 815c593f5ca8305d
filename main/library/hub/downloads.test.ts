import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../test-support.ts';
import { Downloads } from './downloads.ts';
import { Hub, type HubDownloads } from './hub.ts';
import { HubServer } from './testdata/hub-server.ts';

let server: HubServer;
const content = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, index) => (index * 31) & 255));
beforeEach(async () => {
  server = new HubServer();
  await server.start();
  server.repositories.set('artist/ink', { files: { 'ink.safetensors': content }, licence: 'mit' });
});
afterEach(() => server.stop());

function openDownloads(folder = temporaryFolder(), options: Partial<HubDownloads> = {}) {
  const hub = new Hub({ host: server.host, folder, pauses: [1], patience: 3000, ...options });
  const downloads = new Downloads({ hub, file: join(folder, 'downloads.json') });
  onTestFinished(() => downloads.close());
  const state = (id: number) => downloads.list().find((download) => download.id === id)?.state;
  const ended = (id: number) => expect.poll(() => state(id), { timeout: 20_000 }).not.toBe('running');
  return { folder, downloads, state, ended };
}
const asked = () => ({ reference: 'artist/ink', commit: server.commit, acceptLicence: 'mit' });

describe('downloads', () => {
  it('that ran when Impasto was closed go on at its next start, from what was here', async () => {
    const first = openDownloads();
    server.faults = [{ path: 'ink.safetensors', fault: 'stall' }];
    const { id } = await first.downloads.fetch(asked());
    const arrived = () => first.downloads.list()[0]?.progress?.received ?? 0;
    await expect.poll(arrived, { timeout: 20_000 }).toBeGreaterThan(0);
    first.downloads.close();
    await first.ended(id);
    server.store.length = 0;
    const second = openDownloads(first.folder);
    expect(second.downloads.list()).toMatchObject([{ id, state: 'stopped', reference: 'artist/ink' }]);
    await second.downloads.resume(id);
    await second.ended(id);
    expect(second.downloads.list()).toMatchObject([
      { state: 'done', path: join(first.folder, 'artist/ink/ink.safetensors') },
    ]);
    expect(server.store.some(({ range }) => range !== undefined)).toBe(true);
    expect(await second.downloads.resume(id)).toMatchObject({ state: 'done' });
  });

  it('that fail say why, and can be tried again under the same number', async () => {
    const { downloads, state, ended } = openDownloads();
    server.faults = Array(20).fill({ path: 'ink.safetensors', fault: 'corrupt' });
    const { id } = await downloads.fetch(asked());
    await ended(id);
    expect(downloads.list()[0]).toMatchObject({ state: 'failed', error: { code: 'CHECKSUM_MISMATCH' } });
    server.faults = [];
    expect((await downloads.fetch(asked())).id).toBe(id);
    await ended(id);
    expect(state(id)).toBe('done');
    expect(downloads.list()[0]?.error).toBeNull();
  });

  it('without room, agreement or a hub do not begin', async () => {
    const full = openDownloads(temporaryFolder(), { statfs: async () => ({ bavail: 1, bsize: 1 }) });
    await expect(full.downloads.fetch(asked())).rejects.toMatchObject({ code: 'DISK_FULL' });
    await expect(full.downloads.fetch({ ...asked(), acceptLicence: '' })).rejects.toMatchObject({
      code: 'LICENCE_NOT_ACCEPTED',
    });
    await expect(full.downloads.fetch({ ...asked(), reference: 'artist/none' })).rejects.toMatchObject({
      code: 'HUB_NOT_FOUND',
    });
    expect(full.downloads.list()).toEqual([]);
  });

  it('whose list is damaged begin a new one', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'downloads.json'), '{"version": 1, "downloads": [{"id": "../x"}]}');
    expect(openDownloads(folder).downloads.list()).toEqual([]);
  });
});
