import { parseArgs } from 'node:util';
import { asImpastoError, ImpastoError } from '../../contract/errors.ts';
import { openBackend } from '../handlers/backend.ts';
import { isLoopback } from './addresses.ts';
import { type ImpastoServer, type ServerOptions, startServer } from './server.ts';
import { windowFolder } from './window-folder.ts';

/** Where it listens unless it is told otherwise, or something else does. */
export const usualPort = 4747;

const usage = `npm run serve -- [--host ADDRESS] [--port NUMBER] [--home FOLDER]

  --host ADDRESS  listen there instead of on this machine only; 0.0.0.0 for every network it is in
  --port NUMBER   default ${usualPort}, or a free one where that is taken
  --home FOLDER   where the queue, settings and pictures are`;

/** `npm run serve`: the same window in a browser, on this machine or from the next room. */
export async function serve(args: readonly string[]): Promise<void> {
  const { host, port, home, help } = readArguments(args);
  if (help) return console.log(usage);
  const log = (line: string) => console.error(line);
  const backend = await openBackend({ name: 'server', log, ...(home !== undefined && { home }) });
  let server: ImpastoServer;
  try {
    server = await listen({ backend, host, port: port ?? usualPort, window: windowFolder(), log }, port === undefined);
  } catch (thrown) {
    await backend.close();
    throw thrown;
  }
  console.log(`Impasto is at ${server.url}`);
  if (!isLoopback(host)) {
    console.log(
      'Whoever has this address can use it; what is sent is not encrypted: use it in networks that you trust.',
    );
  }
  await interrupted();
  console.log('Closing after this step; again to stop at once.');
  await server.close();
  await backend.close();
}

function readArguments(args: readonly string[]): { host: string; port?: number; home?: string; help: boolean } {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string' },
        home: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    const { host, port, home, help } = values;
    if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) < 65536)) {
      throw new Error(`--port ${port}: a port is a number up to 65535`);
    }
    return { host, help, ...(port !== undefined && { port: Number(port) }), ...(home !== undefined && { home }) };
  } catch (thrown) {
    throw new ImpastoError('REQUEST_INVALID', `${asImpastoError(thrown).message}.`, usage);
  }
}

async function listen(options: ServerOptions, elsewhere: boolean): Promise<ImpastoServer> {
  try {
    return await startServer(options);
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' && elsewhere) return await listen({ ...options, port: 0 }, false);
    const remedy = code === 'EADDRINUSE' ? 'Choose another --port.' : 'Check --host and --port.';
    throw new ImpastoError('REQUEST_INVALID', `Impasto cannot listen there: ${message}.`, remedy, { cause: thrown });
  }
}

/** Settles at the first SIGINT or SIGTERM; a second one ends the process. */
function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const end = () => {
      if (asked) process.exit(130);
      asked = true;
      resolve();
    };
    process.on('SIGINT', end);
    process.on('SIGTERM', end);
  });
}
