import type { RenderRequest } from './request.ts';

/**
 * A request with every file path in it put through `map`, which is told the field as well, e.g. `init.path`. The name
 * `demo` is no path.
 */
export async function mapRequestPaths(
  request: RenderRequest,
  map: (path: string, field: string) => string | Promise<string>,
): Promise<RenderRequest> {
  const { model, init, mask, vae, embeddings, adapters, regions, style, matchColours } = request;
  return {
    ...request,
    model: model === 'demo' ? model : await map(model, 'model'),
    ...(init ? { init: { ...init, path: await map(init.path, 'init.path') } } : {}),
    ...(mask ? { mask: { ...mask, path: await map(mask.path, 'mask.path') } } : {}),
    ...(style ? { style: { ...style, content: await map(style.content, 'style.content') } } : {}),
    ...(matchColours
      ? { matchColours: { ...matchColours, path: await map(matchColours.path, 'matchColours.path') } }
      : {}),
    vae: vae.path === undefined ? vae : { ...vae, path: await map(vae.path, 'vae.path') },
    embeddings: await each(embeddings, 'embeddings', map),
    adapters: await each(adapters, 'adapters', map),
    regions: await Promise.all(
      regions.map(async (region, index) =>
        region.mask === undefined ? region : { ...region, mask: await map(region.mask, `regions.${index}.mask`) },
      ),
    ),
  };
}

function each<T extends { path: string }>(
  list: readonly T[],
  field: string,
  map: (path: string, field: string) => string | Promise<string>,
): Promise<T[]> {
  return Promise.all(
    list.map(async (item, index) => ({ ...item, path: await map(item.path, `${field}.${index}.path`) })),
  );
}
