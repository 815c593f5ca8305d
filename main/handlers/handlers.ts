import type { RouteArguments, RouteName, RouteOutput } from '../../contract/routes.ts';
import { appHandlers } from './app-handlers.ts';
import type { HandlerContext } from './context.ts';
import { engineHandlers } from './engine-handlers.ts';
import { libraryHandlers } from './library-handlers.ts';
import { modelHandlers } from './model-handlers.ts';
import { pictureHandlers } from './picture-handlers.ts';
import { promptHandlers } from './prompt-handlers.ts';
import { queueHandlers } from './queue-handlers.ts';

export type Handler<Name extends RouteName> = (
  input: RouteArguments<Name>,
) => RouteOutput<Name> | Promise<RouteOutput<Name>>;

/** One handler for every route there is: a route without one does not compile. */
export type Handlers = { [Name in RouteName]: Handler<Name> };

/** The handlers of the routes that begin so. */
export type HandlersOf<Prefix extends string> = Pick<Handlers, Extract<RouteName, `${Prefix}.${string}`>>;

export function createHandlers(context: HandlerContext): Handlers {
  return {
    ...appHandlers(context),
    ...queueHandlers(context),
    ...engineHandlers(context),
    ...libraryHandlers(context),
    ...modelHandlers(context),
    ...promptHandlers(context),
    ...pictureHandlers(context),
  };
}
