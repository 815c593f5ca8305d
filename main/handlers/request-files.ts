import type { EngineWarning } from '../../contract/engine.ts';
import { ImpastoError } from '../../contract/errors.ts';
import { parseRequest } from '../../contract/parse.ts';
import type { RenderRequest } from '../../contract/request.ts';
import { mapRequestPaths } from '../../contract/request-paths.ts';
import { uploadIdOf } from '../../contract/uploads.ts';
import { type LoraNames, loraFile, loraNames } from '../engine/adapters/lora-names.ts';
import { resolvePromptTags } from '../engine/adapters/prompt-tags.ts';
import type { HandlerContext } from './context.ts';

/**
 * Makes requests whole, for one call: `upload:ID` becomes the path of that upload, and `<lora:name:0.8>` in a prompt the
 * adapter of that name in the library. What comes back can be drawn again without us.
 */
export class RequestFiles {
  /** What could not be used of the tags; each is told once. */
  readonly warnings: EngineWarning[] = [];
  readonly #context: Pick<HandlerContext, 'uploads' | 'library'>;
  #names: LoraNames | null = null;

  constructor(context: Pick<HandlerContext, 'uploads' | 'library'>) {
    this.#context = context;
  }

  /**
   * @throws ImpastoError `REQUEST_INVALID`, `FILE_NOT_FOUND` for an upload or an adapter that is not there,
   *   `ADAPTER_DUPLICATE`
   */
  async resolve(request: RenderRequest): Promise<RenderRequest> {
    const uploaded = await mapRequestPaths(request, (path, field) => this.#uploaded(path, field));
    if (!hasTags(uploaded)) return uploaded;
    const tagged = await resolvePromptTags(uploaded, async (name) => this.#adapter(name));
    for (const warning of tagged.warnings) {
      if (!this.warnings.some(({ message }) => message === warning.message)) this.warnings.push(warning);
    }
    return parseRequest(tagged.request);
  }

  #adapter(name: string): string {
    const { library } = this.#context;
    this.#names ??= loraNames(library.models.adapterFiles());
    return loraFile(this.#names, name, library.folders().models);
  }

  async #uploaded(path: string, field: string): Promise<string> {
    const id = uploadIdOf(path);
    if (id === undefined) return path;
    if (id !== null) return await this.#context.uploads.path(id);
    throw new ImpastoError(
      'REQUEST_INVALID',
      `${field}: ${JSON.stringify(path)} does not name an upload.`,
      'Upload the picture again.',
    );
  }
}

function hasTags({ prompt, negativePrompt, regions }: RenderRequest): boolean {
  const texts = [prompt, negativePrompt, ...regions.flatMap((region) => [region.prompt, region.negativePrompt ?? ''])];
  return texts.some((text) => text.includes('<'));
}
