import { resolve } from 'node:path';
import { asImpastoError, ImpastoError } from '../../contract/errors.ts';
import type { ExportReport } from '../../contract/library.ts';
import { type OpenedPicture, openPicture } from '../library/export/export-file.ts';
import { readMetadata } from '../library/metadata/read-metadata.ts';
import type { ImportSource } from '../library/pictures/picture-library.ts';
import { recall } from '../library/recall.ts';
import type { HandlerContext } from './context.ts';
import type { HandlersOf } from './handlers.ts';
import { outputFolder } from './output-folder.ts';
import { sourcePath } from './picture-source.ts';

export function pictureHandlers(context: HandlerContext): HandlersOf<'pictures'> {
  const { library, uploads, paths, pictureTools, engine } = context;
  const { pictures } = library;
  return {
    'pictures.list': (query) => pictures.list(query),
    'pictures.get': async (asked) => {
      if ('id' in asked) return pictures.get(asked.id);
      const path = await sourcePath(asked, context);
      const known = pictures.known(path);
      if (!known) throw notInLibrary(path);
      return known;
    },
    'pictures.facets': () => pictures.facets(),
    'pictures.star': async ({ ids, star }) => {
      await pictures.star(ids, star);
      return {};
    },
    'pictures.remove': ({ ids }) => pictures.remove(ids),
    'pictures.restore': ({ undo }) => pictures.restore(undo),
    'pictures.import': async ({ sources }) => {
      const files: ImportSource[] = [];
      for (const source of sources) {
        if ('path' in source) files.push({ path: source.path });
        else files.push({ path: await uploads.path(source.upload), name: source.name ?? 'picture' });
      }
      const imported = await pictures.import(files);
      // A window knows an upload by its name, not by where it was put.
      return { imported: imported.map((one, index) => ({ ...one, from: nameOf(sources[index], one.from) })) };
    },
    'pictures.export': async ({ sources, outputs }) => {
      const wanted = outputs.map((output) => outputFolder(output, paths.pictures));
      const report: ExportReport = { written: [], failed: [] };
      for (const [source, from] of sources.entries()) {
        let opened: OpenedPicture | undefined;
        for (const [output, options] of wanted.entries()) {
          try {
            opened ??= await openPicture(await sourcePath(from, context));
            report.written.push({ source, output, ...(await opened.write(options)) });
          } catch (thrown) {
            report.failed.push({ source, output, problem: asImpastoError(thrown).toRecord() });
          }
        }
      }
      return report;
    },
    'pictures.select': async ({ source, method, clicks, edges, border }) => {
      const path = await sourcePath(source, context);
      const { png, share, score } =
        method === 'edges'
          ? { ...(await pictureTools.call('select', { path, clicks, edges, border })), score: null }
          : await engine.segment({ picture: path, model: resolve(method.model), clicks });
      const { id, width, height } = await uploads.add(one(png));
      return { mask: id, width, height, share, score };
    },
    'pictures.recall': async (source) => recall(await sourcePath(source, context), library.models),
    'pictures.metadata': async (source) => {
      const { request, infotext, model, warnings, ...found } = await readMetadata(await sourcePath(source, context));
      return {
        request: request ?? null,
        source: found.source ?? null,
        infotext: infotext ?? null,
        model: model ? { name: model.name ?? null, hash: model.hash ?? null } : null,
        warnings,
      };
    },
  };
}

function nameOf(source: { path: string } | { upload: string; name?: string | undefined } | undefined, path: string) {
  return source && 'upload' in source ? (source.name ?? source.upload) : path;
}

function notInLibrary(path: string): ImpastoError {
  return new ImpastoError('NOT_IN_LIBRARY', `${path} is not in the library.`, 'Import it, or add its folder.');
}

async function* one(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
