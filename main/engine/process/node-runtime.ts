import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ImpastoError } from '../../../contract/errors.ts';

/** First version of Node that runs TypeScript as it is, and that the engine is tested with. */
const oldestMajor = 24;

/** What the choice depends on; this process by default. */
export interface NodeHost {
  execPath: string;
  /** As `process.versions`. */
  versions: Readonly<Record<string, string | undefined>>;
  /** Where an Electron app keeps its resources. */
  resourcesPath?: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
}

/**
 * The plain Node that runs the engine, never Electron's own binary: there one allocation near 2 GiB is fatal
 * (electron#44291). In order: `IMPASTO_NODE`; the Node in an Electron app's resources, at `node/bin/`; the Node that runs
 * this, where it is plain and new enough; the Node of the `node-*` packages that Impasto depends on.
 * @throws ImpastoError `ENGINE_DIED` where there is none, naming where it was looked for
 */
export function findNode(host: NodeHost = thisProcess()): string {
  if (host.env.IMPASTO_NODE) return host.env.IMPASTO_NODE;
  const looked: string[] = [];
  if (host.versions.electron === undefined) {
    if (Number.parseInt(host.versions.node ?? '', 10) >= oldestMajor) return host.execPath;
    looked.push(`${host.execPath} (Node ${host.versions.node})`);
  } else if (host.resourcesPath !== undefined) {
    const shipped = join(host.resourcesPath, 'node', program);
    if (existsSync(shipped)) return shipped;
    looked.push(shipped);
  }
  const pinned = pinnedNode();
  if (pinned) return pinned;
  throw missing([...looked, 'the node-* packages of npm']);
}

function thisProcess(): NodeHost {
  const { execPath, versions, env, resourcesPath } = process as NodeJS.Process & { resourcesPath?: string };
  return { execPath, versions, env, resourcesPath };
}

const program = join('bin', process.platform === 'win32' ? 'node.exe' : 'node');

/** The Node of the optional package that npm installed for this machine. */
function pinnedNode(): string | undefined {
  const system = process.platform === 'win32' ? 'win' : process.platform;
  const require = createRequire(import.meta.url);
  for (const name of [`node-${system}-${process.arch}`, `node-bin-${system}-${process.arch}`]) {
    try {
      const path = join(dirname(require.resolve(`${name}/package.json`)), program);
      if (existsSync(path)) return path;
    } catch {
      // Not for this machine.
    }
  }
  return undefined;
}

function missing(places: readonly string[]): ImpastoError {
  return new ImpastoError(
    'ENGINE_DIED',
    `The engine needs Node ${oldestMajor} or newer, and none was found: looked at ${places.join(', ')}.`,
    'Install Impasto again, or name a Node by the environment variable IMPASTO_NODE.',
  );
}
