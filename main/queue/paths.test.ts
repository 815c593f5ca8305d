import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { impastoPaths, type PathHost } from './paths.ts';

const host = (platform: NodeJS.Platform, env: PathHost['env'] = {}): PathHost => ({
  platform,
  env,
  homedir: '/home/ada',
});

describe.skipIf(process.platform === 'win32')('where the data lies (as seen on a POSIX system)', () => {
  it.each([
    ['linux', {}, '/home/ada/.local/share/impasto'],
    ['linux', { XDG_DATA_HOME: '/data' }, '/data/impasto'],
    ['linux', { XDG_DATA_HOME: 'relative' }, '/home/ada/.local/share/impasto'],
    ['darwin', { XDG_DATA_HOME: '/data' }, '/home/ada/Library/Application Support/Impasto'],
    ['win32', { LOCALAPPDATA: '/appdata' }, '/appdata/Impasto'],
    ['win32', {}, '/home/ada/AppData/Local/Impasto'],
    ['linux', { IMPASTO_HOME: '/mine' }, '/mine'],
  ] as const)('%s %j: %s', (platform, env, home) => {
    expect(impastoPaths(undefined, host(platform, env))).toMatchObject({ home, queue: `${home}/queue.sqlite` });
  });

  it('--home outranks the environment and is made absolute', () => {
    expect(impastoPaths('here', host('linux', { IMPASTO_HOME: '/mine' })).home).toBe(resolve('here'));
  });
});
