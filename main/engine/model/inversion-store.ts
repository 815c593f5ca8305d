import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { readSafetensorsHeader, readTensor } from '../../../models/weights/safetensors.ts';
import { writeSafetensors } from '../../../models/weights/write-safetensors.ts';

/** A picture's way back to noise: its latent at each timestep, from the least noise to the most. */
export interface Inversion {
  timesteps: readonly number[];
  /** [channels, height, width] each. */
  latents: readonly Float32Array[];
  /** The content's own latent. */
  clean: Float32Array;
}

/** To be raised when inversions are computed otherwise: what was saved before is then not used. */
const version = 2;

/** Bytes of inversions kept on disk; 50 steps of a picture of 512x512 take 3.3 MB, 999 steps 65 MB. */
const keptBytes = 2e9;

/**
 * Inversions on disk, each under a key of everything that it depends on, so that a picture is inverted once. The least
 * recently used go where there are too many. One that is damaged is as if it were not there.
 */
export class InversionStore {
  readonly #folder: string;

  constructor(folder: string = cacheFolder()) {
    this.#folder = folder;
  }

  /** @param parts whatever decides the inversion: pixels, model, steps */
  static key(parts: readonly (string | number | Float32Array)[]): string {
    const hash = createHash('sha256').update(`${version}\n`);
    for (const part of parts) {
      if (part instanceof Float32Array) hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
      else hash.update(`${part}\n`);
    }
    return hash.digest('hex').slice(0, 40);
  }

  /** @param size of one latent, in numbers */
  async read(key: string, size: number): Promise<Inversion | null> {
    const path = this.#path(key);
    try {
      const { tensors, metadata } = await readSafetensorsHeader(path);
      const timesteps: unknown = JSON.parse(metadata.timesteps ?? '');
      if (!Array.isArray(timesteps) || !timesteps.every(Number.isInteger)) return null;
      const latents: Float32Array[] = [];
      for (const name of ['clean', ...timesteps.map((_, index) => `latent.${index}`)]) {
        const ref = tensors.get(name);
        const latent = ref && (await readTensor(ref));
        if (latent?.length !== size || !latent.every(Number.isFinite)) return null;
        latents.push(latent);
      }
      const [clean, ...noisy] = latents as [Float32Array, ...Float32Array[]];
      const now = new Date();
      await utimes(path, now, now);
      return { timesteps, latents: noisy, clean };
    } catch {
      return null;
    }
  }

  /** @throws ImpastoError `DISK_FULL`, `WRITE_FAILED` */
  async write(key: string, { timesteps, latents, clean }: Inversion): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const named = [['clean', clean] as const, ...latents.map((latent, index) => [`latent.${index}`, latent] as const)];
    const tensors = named.map(
      ([name, latent]) =>
        [
          name,
          {
            dtype: 'F32',
            shape: [latent.length],
            data: new Uint8Array(latent.buffer, latent.byteOffset, latent.byteLength),
          },
        ] as const,
    );
    await writeSafetensors(this.#path(key), new Map(tensors), { timesteps: JSON.stringify(timesteps) });
    await this.#makeRoom();
  }

  #path(key: string): string {
    return join(this.#folder, `${key}.safetensors`);
  }

  async #makeRoom(): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => name.endsWith('.safetensors'));
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#folder, name);
        const { size, mtimeMs } = await stat(path);
        return { path, size, mtimeMs };
      }),
    );
    let bytes = 0;
    for (const { path, size } of files.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
      bytes += size;
      if (bytes > keptBytes) await rm(path, { force: true });
    }
  }
}

/** Where the system keeps what can be made anew; below IMPASTO_HOME where that is set. */
function cacheFolder(): string {
  const { IMPASTO_HOME, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (IMPASTO_HOME) return join(IMPASTO_HOME, 'inversions');
  if (process.platform === 'win32') {
    return join(LOCALAPPDATA || join(homedir(), 'AppData', 'Local'), 'Impasto', 'inversions');
  }
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'Impasto', 'inversions');
  const cache = XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(homedir(), '.cache');
  return join(cache, 'impasto', 'inversions');
}
