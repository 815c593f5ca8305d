import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventName } from '../../contract/events.ts';
import { type RouteInput, type RouteName, type RouteOutput, routeNames, routes } from '../../contract/routes.ts';
import { type Backend, type BackendOptions, openBackend } from './backend.ts';
import type { Push } from './event-relay.ts';

export const engineModule = new URL('../engine/process/testdata/fake-engine.ts', import.meta.url);

export interface TestBackend {
  home: string;
  backend: Backend;
  pushed: Push[];
  asked: Set<RouteName>;
  /** What a window gets: through JSON, and exactly what the contract says, no field more or less than it reads. */
  call<Name extends RouteName>(name: Name, input: RouteInput<Name>): Promise<RouteOutput<Name>>;
  heard(name: EventName): unknown[];
  end(): Promise<void>;
}

/** A real backend in a folder of its own, with an engine process that draws at once. */
export async function startTestBackend(options: Partial<BackendOptions> = {}): Promise<TestBackend> {
  const home = options.home ?? mkdtempSync(join(tmpdir(), 'impasto-routes-'));
  const backend = await openBackend({ name: 'test', engine: { engineModule }, ...options, home });
  const pushed: Push[] = [];
  const asked = new Set<RouteName>();
  backend.on((push) => pushed.push(push));
  return {
    home,
    backend,
    pushed,
    asked,
    call: async <Name extends RouteName>(name: Name, input: RouteInput<Name>) => {
      asked.add(name);
      const answer = await backend.call(name, JSON.parse(JSON.stringify(input)));
      if (!answer.ok) throw Object.assign(new Error(answer.error.message), answer.error);
      return routes[name].output.parse(JSON.parse(JSON.stringify(answer.output))) as RouteOutput<Name>;
    },
    heard: (name) =>
      pushed.flatMap((push) => (push.kind === 'event' && push.event.event === name ? [push.event.data] : [])),
    end: async () => {
      await backend.close();
      rmSync(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Which test asks which routes; together they must ask all. */
const libraryRoutes = /^(?:library|models|adapters|pictures|hub)\./;
const threadRoutes = /^(?:adapters\.(?:spectrum|intruders|compare|truncate|calm|merge|convert)|pictures\.select)$/;
export const routesOfThreads = routeNames.filter((name) => threadRoutes.test(name));
export const routesOfLibrary = routeNames.filter((name) => libraryRoutes.test(name) && !threadRoutes.test(name));
export const otherRoutes = routeNames.filter((name) => !libraryRoutes.test(name));
