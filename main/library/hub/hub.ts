import type { StatsFs } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { byteSize } from '../../../contract/byte-size.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import { HubFile, type HubLicence, type HubPlan, type HubProgress } from '../../../contract/library.ts';
import { writeError } from '../../../models/weights/file-errors.ts';
import { writeFileAtomic } from '../files/atomic-write.ts';
import { chooseFiles } from './choose-files.ts';
import { bytesHere, downloadFile } from './download-file.ts';
import { cancelled, HubClient, type HubOptions, type ModelInfo } from './hub-client.ts';
import { parseHubReference } from './hub-reference.ts';

export interface HubDownloads extends HubOptions {
  /** The folder of models that downloads go into, each to `OWNER/NAME`. */
  folder: string;
  /** Asks a file system for its room; tests give a full one. */
  statfs?: (path: string) => Promise<Pick<StatsFs, 'bavail' | 'bsize'>>;
  /** Milliseconds before each new attempt after a broken connection. */
  pauses?: readonly number[];
}

export interface PlanOptions {
  /** This commit, whatever the revision stands for now. */
  commit?: string;
  signal?: AbortSignal;
}

export interface DownloadOptions {
  /** The `id` of the plan's licence: says that a person has seen it and agrees. */
  acceptLicence: string;
  signal?: AbortSignal;
  onProgress?: (progress: HubProgress) => void;
}

export interface Downloaded {
  /** The model's folder, or its file where it is one. */
  path: string;
  files: string[];
}

/** Left free on the disk: a full one harms more than a download. */
const spare = 256 * 1024 * 1024;
const manifestName = '.impasto-hub.json';
const Manifest = z.object({
  version: z.literal(1),
  id: z.string(),
  licence: z.string(),
  files: z.array(HubFile.extend({ commit: z.string() })),
});
type Manifest = z.infer<typeof Manifest>;

/** Models from the Hugging Face hub: first a plan to show, then the download, which can be stopped and goes on later. */
export class Hub {
  readonly #options: HubDownloads;
  readonly #client: HubClient;

  constructor(options: HubDownloads) {
    this.#options = options;
    this.#client = new HubClient(options);
  }

  /**
   * What would be fetched for `owner/name[@revision][:folder or file]`, under which licence, and whether there is room.
   * @throws ImpastoError `HUB_REFERENCE`, `HUB_NOT_FOUND`, `HUB_REFUSED`, `HUB_UNREACHABLE`, `PATH_ESCAPES`,
   *   `PICKLE_REFUSED`, `CANCELLED`
   */
  async plan(reference: string, { commit, signal }: PlanOptions = {}): Promise<HubPlan> {
    const wanted = parseHubReference(reference, this.#client.host);
    const info = await this.#client.modelInfo({ ...wanted, revision: commit ?? wanted.revision }, signal);
    const { layout, files, skipped, notes } = chooseFiles(info, wanted.inside);
    const inside = layout === 'folder' ? (wanted.inside ?? '') : '';
    const plan: HubPlan = {
      id: wanted.id,
      commit: info.sha,
      layout,
      files,
      skipped,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      bytesHere: 0,
      bytesFree: 0,
      folder: await this.#target(wanted.id, inside, info.sha, layout),
      licence: licenceOf(info),
      notes: info.gated ? ['Its author asks to agree to terms on its page first.', ...notes] : notes,
    };
    for (const file of files) plan.bytesHere += await this.#bytesHere(plan, file);
    plan.bytesFree = await this.#room();
    return plan;
  }

  /**
   * Fetches what a person was shown: the plan of this reference at this commit, made anew, so that a caller elsewhere
   * gives values only and no paths.
   * @throws ImpastoError as {@link plan} and {@link download}
   */
  async fetch(reference: string, { commit, ...options }: DownloadOptions & { commit: string }): Promise<Downloaded> {
    const { signal } = options;
    return await this.download(await this.plan(reference, { commit, ...(signal ? { signal } : {}) }), options);
  }

  /**
   * Fetches what a plan of this hub says. A folder appears when it is whole; what an interrupted download has left is gone on with.
   * @throws ImpastoError `LICENCE_NOT_ACCEPTED`, `DISK_FULL` (before anything is fetched), `CHECKSUM_MISMATCH`,
   *   `HUB_...`, `CANCELLED`, `WRITE_FAILED`
   */
  async download(plan: HubPlan, { acceptLicence, signal, onProgress }: DownloadOptions): Promise<Downloaded> {
    if (acceptLicence !== plan.licence.id) throw licenceNotAccepted(plan, this.#client.host);
    await this.assertRoom(plan);
    const staging = this.#staging(plan);
    const meter = new Meter(plan, onProgress);
    try {
      for (const [index, file] of plan.files.entries()) {
        if (signal?.aborted) throw cancelled();
        const to = join(staging, ...inPlan(plan, file));
        meter.begin(file, index);
        if (await this.#isThere(plan, file)) meter.received(file.bytes);
        else if ((await stat(to).catch(() => null))?.size === file.bytes && file.bytes > 0) meter.received(file.bytes);
        else {
          const { pauses } = this.#options;
          await downloadFile({
            client: this.#client,
            ...{ id: plan.id, commit: plan.commit, file, to, signal },
            onBytes: (bytes) => meter.received(bytes),
            ...(pauses ? { pauses } : {}),
          });
        }
        meter.end(file);
      }
    } finally {
      meter.stop();
    }
    return await this.#place(plan, staging);
  }

  /** Throws away what an interrupted download has left; that needs no connection. Throws `HUB_REFERENCE`. */
  async discard({ reference, commit }: { reference: string; commit: string }): Promise<void> {
    const { id } = parseHubReference(reference, this.#client.host);
    const downloads = join(this.#options.folder, '.downloads');
    const prefix = stagingPrefix({ id, commit });
    const names = await readdir(downloads).catch(() => []);
    for (const name of names.filter((name) => name.startsWith(prefix))) {
      await rm(join(downloads, name), { recursive: true, force: true });
    }
    await rmdir(downloads).catch(() => {});
  }

  /** Hidden beside the models, so that a renaming is all that is left to do, and no scan finds half of one. */
  #staging({ id, commit, folder }: HubPlan): string {
    return join(this.#options.folder, '.downloads', stagingPrefix({ id, commit }) + basename(folder));
  }

  /** `OWNER/NAME`, or another name where that is taken by another state of the model. */
  async #target(id: string, inside: string, commit: string, layout: HubPlan['layout']): Promise<string> {
    const [owner = '', name = ''] = id.split('/');
    const own = [name, ...inside.split('/').filter(Boolean)].join('--');
    const plain = join(this.#options.folder, owner, own);
    if (layout === 'files' || (await isFree(plain))) return plain;
    const manifest = await readManifest(plain);
    if (manifest?.files.every((file) => file.commit === commit)) return plain;
    return join(this.#options.folder, owner, `${own}@${commit.slice(0, 12)}`);
  }

  async #bytesHere(plan: HubPlan, file: HubFile): Promise<number> {
    if (await this.#isThere(plan, file)) return file.bytes;
    return await bytesHere(file, join(this.#staging(plan), ...inPlan(plan, file)));
  }

  /** Whether the very file was fetched before. */
  async #isThere(plan: HubPlan, file: HubFile): Promise<boolean> {
    const manifest = await readManifest(plan.folder);
    const known = manifest?.files.find(({ path }) => path === file.path);
    const same = known && known.checksum?.hex === file.checksum?.hex && known.bytes === file.bytes;
    if (!same || (file.checksum === null && known.commit !== plan.commit)) return false;
    return (await stat(join(plan.folder, ...inPlan(plan, file))).catch(() => null))?.size === file.bytes;
  }

  async #room(): Promise<number> {
    const { folder, statfs: ask = statfs } = this.#options;
    try {
      await mkdir(folder, { recursive: true });
      const { bavail, bsize } = await ask(folder);
      return Number(bavail) * Number(bsize);
    } catch (thrown) {
      throw writeError(thrown, folder);
    }
  }

  /** @throws ImpastoError `DISK_FULL` where what is missing of a plan has no room */
  async assertRoom(plan: HubPlan): Promise<void> {
    let missing = spare;
    for (const file of plan.files) missing += file.bytes - (await this.#bytesHere(plan, file));
    const room = await this.#room();
    if (missing <= room || missing === spare) return;
    throw new ImpastoError(
      'DISK_FULL',
      `${plan.id} needs ${byteSize(missing - spare)} more in ${this.#options.folder}, which has ${byteSize(room)} free.`,
      `Make room (${byteSize(spare)} are left free), or choose another folder for models. Nothing was fetched.`,
    );
  }

  /** Gives what was fetched its place. */
  async #place(plan: HubPlan, staging: string): Promise<Downloaded> {
    const { folder, layout, files } = plan;
    try {
      const before = await readManifest(folder);
      const others = (before?.files ?? []).filter(({ path }) => !files.some((file) => file.path === path));
      const manifest: Manifest = {
        version: 1,
        id: plan.id,
        licence: plan.licence.id,
        files: [...others, ...files.map((file) => ({ ...file, commit: plan.commit }))],
      };
      const text = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
      await mkdir(staging, { recursive: true });
      if (layout === 'folder' && (await isFree(folder))) {
        await writeFileAtomic(join(staging, manifestName), text, { overwrite: true });
        await mkdir(dirname(folder), { recursive: true });
        await rename(staging, folder);
      } else {
        for (const file of files) {
          const way = inPlan(plan, file);
          if (!(await stat(join(staging, ...way)).catch(() => null))) continue;
          await mkdir(dirname(join(folder, ...way)), { recursive: true });
          // Another model of the same name may lie there: the older one keeps its name.
          if (await this.#isForeign(plan, file)) throw taken(join(folder, ...way));
          await rename(join(staging, ...way), join(folder, ...way));
        }
        await writeFileAtomic(join(folder, manifestName), text, { overwrite: true });
        await rm(staging, { recursive: true, force: true });
      }
      await rmdir(dirname(staging)).catch(() => {});
    } catch (thrown) {
      throw thrown instanceof ImpastoError ? thrown : writeError(thrown, folder);
    }
    const placed = files.map((file) => join(folder, ...inPlan(plan, file)));
    return { path: layout === 'files' && placed.length === 1 ? (placed[0] as string) : folder, files: placed };
  }

  /** A file of this name that did not come from this repository. */
  async #isForeign(plan: HubPlan, file: HubFile): Promise<boolean> {
    if (await isFree(join(plan.folder, ...inPlan(plan, file)))) return false;
    const manifest = await readManifest(plan.folder);
    return !manifest?.files.some(({ path }) => path === file.path);
  }
}

export function licenceNotAccepted({ id, licence }: HubPlan, host = 'https://huggingface.co'): ImpastoError {
  return new ImpastoError(
    'LICENCE_NOT_ACCEPTED',
    `${id} is under the licence ${licenceTitle(licence)}, which was not agreed to.`,
    `Read it at ${licence.link ?? `${host}/${id}`} and agree to it.`,
  );
}

function stagingPrefix({ id, commit }: { id: string; commit: string }): string {
  return `${id.replace('/', '--')}--${commit.slice(0, 12)}--`;
}

/** `openrail++ (CreativeML Open RAIL++-M)`. */
export function licenceTitle({ id, name }: HubLicence): string {
  return name && name !== id ? `${id} (${name})` : id;
}

function licenceOf({ cardData, tags }: ModelInfo): HubLicence {
  const stated = cardData?.license;
  const tagged = tags?.find((tag) => tag.startsWith('license:'))?.slice('license:'.length);
  const id = (Array.isArray(stated) ? stated.join(', ') : stated) || tagged || 'unknown';
  const link = cardData?.license_link ?? null;
  return { id, name: cardData?.license_name ?? null, link: link && /^https?:\/\//.test(link) ? link : null };
}

/** Where a file of the repository lies in its folder here: single files at its top. */
function inPlan({ layout, files }: Pick<HubPlan, 'layout' | 'files'>, file: HubFile): string[] {
  const parts = file.path.split('/');
  if (layout === 'files') return parts.slice(-1);
  const index = files.find(({ path }) => /(?:^|\/)model_index\.json$/.test(path));
  const depth = index ? index.path.split('/').length - 1 : parts.length - 2;
  return parts.slice(depth);
}

async function isFree(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) === null;
}

async function readManifest(folder: string): Promise<Manifest | null> {
  try {
    return Manifest.parse(JSON.parse(await readFile(join(folder, manifestName), 'utf8')));
  } catch {
    return null;
  }
}

function taken(path: string): ImpastoError {
  return new ImpastoError(
    'WRITE_FAILED',
    `${path} is there already and is another file.`,
    'Move it away and try again.',
  );
}

/** Milliseconds between two news of progress. */
const tellEvery = 100;

/** Counts what arrives, and tells of it ten times a second at most. */
class Meter {
  readonly #plan: HubPlan;
  readonly #tell: ((progress: HubProgress) => void) | undefined;
  #whole = 0;
  #file = '';
  #index = 0;
  #told = 0;
  #later: NodeJS.Timeout | undefined;
  /** Bytes and times of the last seconds. */
  #marks: { at: number; bytes: number }[] = [];

  constructor(plan: HubPlan, tell: ((progress: HubProgress) => void) | undefined) {
    this.#plan = plan;
    this.#tell = tell;
  }

  begin({ path }: HubFile, index: number): void {
    this.#file = path;
    this.#index = index;
    this.#marks = [];
  }

  received(bytes: number): void {
    const now = performance.now();
    const received = this.#whole + bytes;
    this.#marks.push({ at: now, bytes: received });
    while (this.#marks.length > 2 && now - (this.#marks[0]?.at ?? now) > 3000) this.#marks.shift();
    // What comes too soon after the last news is told a little later, also where nothing follows it.
    if (received >= this.#plan.bytes || now - this.#told >= tellEvery) this.#tellNow();
    else this.#later ??= setTimeout(() => this.#tellNow(), tellEvery).unref();
  }

  stop(): void {
    clearTimeout(this.#later);
    this.#later = undefined;
  }

  #tellNow(): void {
    this.stop();
    this.#told = performance.now();
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    if (!first || !last) return;
    const seconds = (this.#told - first.at) / 1000;
    this.#tell?.({
      file: this.#file,
      fileIndex: this.#index,
      files: this.#plan.files.length,
      received: last.bytes,
      total: this.#plan.bytes,
      speed: seconds > 0 ? Math.max(0, last.bytes - first.bytes) / seconds : 0,
    });
  }

  end({ bytes }: HubFile): void {
    this.#whole += bytes;
  }
}
