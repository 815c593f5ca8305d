import { stat } from 'node:fs/promises';
import type { EngineWarning } from '../../contract/engine.ts';
import type { MissingFile, ModelEntry, ModelKind } from '../../contract/library.ts';
import { parseRequest } from '../../contract/parse.ts';
import type { RenderRequest } from '../../contract/request.ts';
import { mapRequestPaths } from '../../contract/request-paths.ts';
import { adapterName } from '../../models/adapters/adapter-name.ts';
import { resolvePromptTags } from '../engine/adapters/prompt-tags.ts';
import { plainModelName } from './metadata/model-name.ts';
import { noMetadata, type PictureMetadata, readMetadata } from './metadata/read-metadata.ts';
import type { ModelLibrary } from './models/model-library.ts';

export interface Recalled {
  request: RenderRequest;
  source: 'impasto' | 'infotext';
  /** Files that the request names and that are not to be found: their fields hold the name as the picture has it. */
  missing: MissingFile[];
  warnings: EngineWarning[];
}

/**
 * The request that draws a picture again on this machine. A file that is not where the request says is looked for among
 * the library's models: by the hashes of A1111's text, then by its name. `<lora:...>` tags become adapters.
 * @throws ImpastoError `NO_METADATA`, `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `IMAGE_UNREADABLE`
 */
export async function recall(path: string, models: Pick<ModelLibrary, 'find'>): Promise<Recalled> {
  const metadata = await readMetadata(path);
  const { request: stated, source } = metadata;
  if (!stated || !source) throw noMetadata(path, metadata.warnings);
  const search = new Search(models, metadata);
  const tagged = await resolvePromptTags(stated, async (name) => name);
  const request = await mapRequestPaths(parseRequest(tagged.request), (named, field) => search.file(named, field));
  const found = new Set(['METADATA_MODEL']);
  const warnings = [
    ...metadata.warnings.filter(({ code }) => !found.has(code)),
    ...tagged.warnings,
    ...search.warnings,
  ];
  return { request, source, missing: search.missing, warnings };
}

class Search {
  readonly missing: MissingFile[] = [];
  readonly warnings: EngineWarning[] = [];
  readonly #models: Pick<ModelLibrary, 'find'>;
  readonly #metadata: PictureMetadata;

  constructor(models: Pick<ModelLibrary, 'find'>, metadata: PictureMetadata) {
    this.#models = models;
    this.#metadata = metadata;
  }

  /** Where the file of a field lies; as it was named where it is not to be found. */
  async file(named: string, field: string): Promise<string> {
    // An infotext names no files, only what they are called.
    if (this.#metadata.source === 'impasto' && (await stat(named).catch(() => null))) return named;
    const kind = kindOf(field);
    const name = kind === 'checkpoint' ? plainModelName(fileName(named)) : adapterName(named.replaceAll('\\', '/'));
    const hash = this.#hash(kind, name);
    const found = kind && this.#find(kind, name, hash);
    if (found) return found;
    this.missing.push({ field, name, hash: hash ?? null });
    return named;
  }

  #hash(kind: ModelKind | null, name: string): string | undefined {
    if (kind === 'checkpoint') return this.#metadata.model?.hash;
    return kind === 'adapter' ? this.#metadata.adapterHashes?.get(name) : undefined;
  }

  #find(kind: ModelKind, name: string, hash: string | undefined): string | null {
    const fits = (model: ModelEntry) => model.kind === kind && model.state === 'usable';
    const byHash = hash === undefined ? [] : this.#models.find({ hash }).filter(fits);
    const found = byHash.length > 0 ? byHash : this.#models.find({ name }).filter(fits);
    const [first, second] = found;
    if (!first) return null;
    if (second && byHash.length === 0) {
      this.warnings.push({
        code: 'RECALL_AMBIGUOUS',
        message: `${found.length} files are called ${name}: ${first.path} is taken.`,
      });
    } else if (hash !== undefined && byHash.length === 0) {
      this.warnings.push({
        code: 'RECALL_BY_NAME',
        message: `No file has the hash ${hash} of ${name}: ${first.path} is taken for its name.`,
      });
    }
    return first.path;
  }
}

/** What sort of model a field of a request names; null for pictures. */
function kindOf(field: string): ModelKind | null {
  if (field === 'model') return 'checkpoint';
  if (field === 'vae.path') return 'vae';
  if (field.startsWith('adapters.')) return 'adapter';
  return field.startsWith('embeddings.') ? 'embedding' : null;
}

/** A picture may come from a machine with other separators. */
function fileName(path: string): string {
  return path.split(/[\\/]/).findLast((part) => part !== '') ?? path;
}
