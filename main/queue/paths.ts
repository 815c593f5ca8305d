import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** What the choice of a folder depends on; this process by default. */
export interface PathHost {
  platform: NodeJS.Platform;
  env: Readonly<Record<string, string | undefined>>;
  homedir: string;
}

/** Where Impasto keeps what is its own. */
export interface ImpastoPaths {
  home: string;
  /** The queue's database. */
  queue: string;
  /** Where pictures go unless a job says otherwise. */
  pictures: string;
  wildcards: string;
}

/**
 * The folder of one artist's data: `--home`, else IMPASTO_HOME, else where the system keeps an application's data
 * (XDG base directories, Application Support, LocalAppData).
 */
export function impastoPaths(
  home?: string,
  host: PathHost = { platform: process.platform, env: process.env, homedir: homedir() },
): ImpastoPaths {
  const chosen = resolve(home || host.env.IMPASTO_HOME || systemFolder(host));
  return {
    home: chosen,
    queue: join(chosen, 'queue.sqlite'),
    pictures: join(chosen, 'pictures'),
    wildcards: join(chosen, 'wildcards'),
  };
}

function systemFolder({ platform, env, homedir }: PathHost): string {
  if (platform === 'win32') return join(env.LOCALAPPDATA || join(homedir, 'AppData', 'Local'), 'Impasto');
  if (platform === 'darwin') return join(homedir, 'Library', 'Application Support', 'Impasto');
  // The XDG specification says that a relative path is to be ignored.
  const data = env.XDG_DATA_HOME;
  return join(data && isAbsolute(data) ? data : join(homedir, '.local', 'share'), 'impasto');
}
