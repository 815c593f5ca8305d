import { EventEmitter } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineSettings } from '../../contract/engine.ts';
import { asImpastoError } from '../../contract/errors.ts';
import { endedStates } from '../../contract/queue.ts';
import type { Answer } from '../../contract/routes.ts';
import type { Settings } from '../../contract/settings.ts';
import type { EngineClientOptions } from '../engine/process/engine-client.ts';
import { hubFromEnvironment } from '../library/hub/hub-environment.ts';
import { Library, type LibraryOptions } from '../library/library.ts';
import { type ImpastoPaths, impastoPaths } from '../queue/paths.ts';
import { Queue } from '../queue/queue.ts';
import { EngineJobRunner } from '../queue/runner/engine-job-runner.ts';
import { QueueRunner } from '../queue/runner/queue-runner.ts';
import { Background } from './background/background.ts';
import { dispatch } from './dispatch.ts';
import { libraryPush, news, type Push, pushOf } from './event-relay.ts';
import { createHandlers } from './handlers.ts';
import { libraryWriter } from './library-writer.ts';
import { Resources } from './resources.ts';
import { SettingsFile } from './settings-file.ts';
import { Uploads } from './uploads.ts';

export interface BackendOptions {
  /** Folder of the artist's data; by default where the system keeps an application's. */
  home?: string;
  /** What this process is called among those that draw from the queue, e.g. `app`, `server`. */
  name: string;
  /** Draw what is in the queue; true by default. */
  draw?: boolean;
  engine?: Pick<EngineClientOptions, 'execPath' | 'env' | 'program' | 'engineModule'>;
  /** The hub's address and token, by default the environment's; the bin, by default the system's. */
  library?: Pick<LibraryOptions, 'hub' | 'bin'>;
  /** Hears of defects, for the log. */
  log?: (line: string) => void;
}

/** Everything behind a window, whichever face it comes through. */
export interface Backend {
  paths: ImpastoPaths;
  resources: Resources;
  uploads: Uploads;
  /** Answers one request by its route's name; never throws. */
  call(route: unknown, input: unknown): Promise<Answer>;
  /** Hears all news. @returns what stops it */
  on(listener: (push: Push) => void): () => void;
  /** Gives the job under way back at its next step, ends the engine and closes the database. */
  close(): Promise<void>;
}

/**
 * Opens the queue, the library, the settings and the uploads of a data folder, and begins to draw.
 * @throws ImpastoError where a database cannot be opened
 */
export async function openBackend(options: BackendOptions): Promise<Backend> {
  const { name, draw = true, log = () => {} } = options;
  const paths = impastoPaths(options.home);
  mkdirSync(paths.home, { recursive: true });
  const pushes = new EventEmitter<{ push: [Push] }>();
  pushes.setMaxListeners(0);
  const push = (told: Push) => void pushes.emit('push', told);

  const settings = new SettingsFile(join(paths.home, 'settings.json'), paths.pictures);
  const uploads = new Uploads(join(paths.home, 'uploads'));
  await uploads.clean();
  const library = new Library({ home: paths.home, hub: hubFromEnvironment(), ...options.library });
  library.on((event) => push(libraryPush(event)));
  let queue: Queue;
  try {
    queue = new Queue({ path: paths.queue });
  } catch (thrown) {
    library.close();
    throw thrown;
  }

  // Read by the engine at each of its starts.
  const engineSettings: EngineSettings = {};
  adopt(engineSettings, settings.get());
  const jobs = new EngineJobRunner({
    ...options.engine,
    settings: engineSettings,
    previewEvery: settings.get().previewEvery,
    onStart: (pid) => push(news({ event: 'engine.state', data: { running: true, pid: pid ?? null, reason: '' } })),
    onExit: ({ expected, code, signal }) => {
      const reason = expected ? '' : `The engine died (${signal ?? `exit code ${code}`}).`;
      push(news({ event: 'engine.state', data: { running: false, pid: null, reason } }));
    },
  });
  settings.onChange((changed) => {
    adopt(engineSettings, changed);
    push(news({ event: 'settings.changed', data: changed }));
  });
  const tell = (thrown: unknown) => {
    const { code, message } = asImpastoError(thrown);
    push(libraryPush({ type: 'warning', warning: { code, message } }));
  };
  const forget = queue.on((event) => {
    push(pushOf(event));
    // The picture is safe already: that the library does not know of it is told, and no reason to stop.
    if (event.type === 'picture') library.drew(event.picture.path).catch(tell);
    if (event.type === 'reload') library.catchUp(lastDrawn(queue)).catch(tell);
  });
  library
    .start()
    .then(() => library.catchUp(lastDrawn(queue)))
    .catch(tell);
  const runner = new QueueRunner({ queue, jobs, writer: libraryWriter, name });
  if (draw) runner.run().catch((thrown) => log(String(asImpastoError(thrown).stack)));

  const [adapterTools, pictureTools] = [new Background(), new Background()];
  const handlers = createHandlers({
    version: version(),
    paths,
    queue,
    library,
    settings,
    uploads,
    adapterTools,
    pictureTools,
    engine: {
      devices: async () => (await jobs.client()).devices(),
      memory: async () => (await jobs.client()).memory(),
      estimate: async (asked) => (await jobs.client()).estimate(asked),
      release: async () => (await jobs.client()).release(),
      segment: async (asked) => (await jobs.client()).segment(asked),
    },
    warnings: [...settings.warnings, ...library.warnings],
  });
  return {
    paths,
    resources: new Resources({ queue, uploads, library }),
    uploads,
    call: (route, input) =>
      dispatch(handlers, route, input, (error) => log(String((error.cause as Error)?.stack ?? error.stack))),
    on: (listener) => {
      pushes.on('push', listener);
      return () => pushes.off('push', listener);
    },
    close: async () => {
      forget();
      await Promise.all([adapterTools.close(), pictureTools.close()]);
      await runner.stop();
      library.close();
      queue.close();
    },
  };
}

/** Jobs whose pictures the library is asked about where it was not told of them. */
const askedAfter = 100;

function lastDrawn(queue: Queue): string[] {
  const { jobs } = queue.list({ states: [...endedStates], order: 'newest', limit: askedAfter });
  return jobs.flatMap(({ pictures }) => pictures.map(({ path }) => path));
}

function adopt(engine: EngineSettings, { provider, memoryBudget }: Settings): void {
  engine.provider = provider;
  if (memoryBudget === null) delete engine.memoryBudget;
  else engine.memoryBudget = memoryBudget;
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
