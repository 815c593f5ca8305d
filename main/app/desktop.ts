import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** What the answer depends on; this machine by default. */
export interface DesktopHost {
  platform: NodeJS.Platform;
  env: Readonly<Record<string, string | undefined>>;
  /** Folder of the `electron` package; null where it is not installed. */
  electronPackage: string | null;
}

export type Desktop = { electron: string } | { hindrance: string };

/**
 * The Electron program, or why there can be no window. The package itself is never imported: that starts a download.
 */
export function findDesktop(host: DesktopHost = thisMachine()): Desktop {
  const { platform, env, electronPackage } = host;
  if (platform === 'linux' && !env.DISPLAY && !env.WAYLAND_DISPLAY) {
    return { hindrance: 'There is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set).' };
  }
  const electron = electronProgram(electronPackage, env);
  if (electron !== null) return { electron };
  const how = electronPackage === null ? 'npm install' : 'npx install-electron';
  return { hindrance: `The Electron program is not on this machine; "${how}" brings it where it may be downloaded.` };
}

function electronProgram(folder: string | null, env: DesktopHost['env']): string | null {
  if (folder === null) return null;
  const named = join(folder, 'path.txt');
  if (!existsSync(named)) return null;
  const program = join(env.ELECTRON_OVERRIDE_DIST_PATH || join(folder, 'dist'), readFileSync(named, 'utf8').trim());
  return existsSync(program) ? program : null;
}

function thisMachine(): DesktopHost {
  const { platform, env } = process;
  try {
    const found = createRequire(import.meta.url).resolve('electron/package.json');
    return { platform, env, electronPackage: dirname(found) };
  } catch {
    return { platform, env, electronPackage: null };
  }
}
