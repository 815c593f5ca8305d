import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findNode } from '../../engine/process/node-runtime.ts';

const cli = fileURLToPath(new URL('../../cli/impasto.ts', import.meta.url));

/** A line that the headless queue prints with `--json`. */
export type ServerEvent = { type: string } & Record<string, unknown>;

/** The process that draws the queue, as a person starts it: `impasto queue run`. */
export class ServerProcess {
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #listeners = new Set<(event: ServerEvent) => void>();
  #enginePid: number | undefined;
  #running = true;
  #errors = '';

  constructor(home: string, flags: readonly string[]) {
    this.#child = spawn(findNode(), [cli, 'queue', 'run', '--json', '--home', home, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exited = new Promise((resolve) => {
      this.#child.on('close', (code) => {
        this.#running = false;
        resolve(code);
        for (const listener of this.#listeners) listener({ type: 'exit', code });
      });
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-4000);
    });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const event = JSON.parse(line) as ServerEvent;
      if (event.type === 'engine') this.#enginePid = event.pid as number | undefined;
      for (const listener of this.#listeners) listener(event);
    });
  }

  get running(): boolean {
    return this.#running;
  }

  /** The last that it wrote to stderr. */
  get errors(): string {
    return this.#errors;
  }

  /** Resolves with the first event that fits, or with its exit. */
  next(fits: (event: ServerEvent) => boolean): Promise<ServerEvent> {
    return new Promise((resolve) => {
      const listener = (event: ServerEvent) => {
        if (event.type !== 'exit' && !fits(event)) return;
        this.#listeners.delete(listener);
        resolve(event);
      };
      this.#listeners.add(listener);
      if (!this.#running) listener({ type: 'exit' });
    });
  }

  killEngine(): boolean {
    if (this.#enginePid === undefined) return false;
    try {
      process.kill(this.#enginePid, 'SIGKILL');
      this.#enginePid = undefined;
      return true;
    } catch {
      // It is gone already.
      return false;
    }
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }
}
