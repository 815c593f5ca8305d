import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EngineCommand, EngineMessage, EngineSettings } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import { findNode } from './node-runtime.ts';
import { OutputTail } from './output-tail.ts';
import { isEngineMessage } from './protocol.ts';

export interface ConnectionOptions {
  settings?: EngineSettings;
  /** A plain Node; by default what `findNode` finds. */
  execPath?: string;
  env?: NodeJS.ProcessEnv;
  /** Milliseconds that a start may take. */
  startWait?: number;
  /** Milliseconds from the request to stop to SIGTERM, which is also how long a step under way may still take. */
  stopWait?: number;
  /** Milliseconds from SIGTERM to SIGKILL. */
  killWait?: number;
  /** The program of the process, and the engine's module in it; others in tests. */
  program?: URL;
  engineModule?: URL;
}

/** How an engine process ended. */
export interface EngineExit {
  pid: number | undefined;
  code: number | null;
  signal: NodeJS.Signals | null;
  /** It was asked to stop, or killed by its parent. */
  expected: boolean;
  /** The last of what it wrote to stdout and stderr. */
  output: string;
}

const keptOutput = 64 * 1024;

/** One engine process, from its start to its end. */
export class EngineConnection {
  /** Settles when the process has ended; never rejects. */
  readonly exited: Promise<EngineExit>;
  readonly #child: ChildProcess;
  readonly #options: ConnectionOptions;
  readonly #tail = new OutputTail(keptOutput);
  #stopping: Promise<EngineExit> | null = null;
  #expected = false;
  #failure: Error | undefined;

  private constructor(child: ChildProcess, options: ConnectionOptions) {
    this.#child = child;
    this.#options = options;
    child.stdout?.on('data', (chunk: Buffer) => this.#tail.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.#tail.push(chunk));
    this.exited = new Promise((resolve) => {
      const ended = (code: number | null, signal: NodeJS.Signals | null) =>
        resolve({ pid: child.pid, code, signal, expected: this.#expected, output: this.#tail.toString() });
      child.on('close', ended);
      // A program that could not be started never closes. An error of a running one (a message that could not be sent)
      // is followed by its end.
      child.on('error', (error) => {
        this.#failure ??= error;
        if (child.pid === undefined) ended(null, null);
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Starts a process and waits until its engine is ready.
   * @param onMessage what the engine says from then on
   * @throws ImpastoError what the engine could not start for, or `ENGINE_DIED`
   */
  static async open(
    options: ConnectionOptions,
    onMessage: (message: EngineMessage) => void,
  ): Promise<EngineConnection> {
    const execPath = options.execPath ?? findNode();
    const program = options.program ?? new URL('./engine-process.ts', import.meta.url);
    const args = [
      '--disable-warning=ExperimentalWarning',
      fileURLToPath(program),
      JSON.stringify(options.settings ?? {}),
    ];
    if (options.engineModule) args.push(options.engineModule.href);
    // Not fork(): Electron's own version of it has ideas about which program to run.
    const child = spawn(execPath, args, {
      env: options.env ?? process.env,
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      windowsHide: true,
    });
    const connection = new EngineConnection(child, options);
    await connection.#ready(onMessage, execPath);
    return connection;
  }

  /** As far as is known: a process that has just died may not be missed yet. */
  get alive(): boolean {
    return this.#child.connected && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Sends a command. What a process that is gone does not get is told by {@link exited}. */
  send(command: EngineCommand): void {
    if (!this.#child.connected) return;
    this.#child.send(command, undefined, {}, () => {});
  }

  /** Asks the engine to release what it holds and leave; SIGTERM and then SIGKILL where it does not. */
  stop(): Promise<EngineExit> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends the process now. */
  kill(): void {
    this.#expected = true;
    this.#child.kill('SIGKILL');
  }

  async #stop(): Promise<EngineExit> {
    this.#expected = true;
    this.send({ type: 'exit' });
    const { stopWait = 15_000, killWait = 2_000 } = this.#options;
    const term = setTimeout(() => this.#child.kill('SIGTERM'), stopWait);
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), stopWait + killWait);
    try {
      return await this.exited;
    } finally {
      clearTimeout(term);
      clearTimeout(kill);
    }
  }

  #ready(onMessage: (message: EngineMessage) => void, execPath: string): Promise<void> {
    const { startWait = 120_000 } = this.#options;
    return new Promise((resolve, reject) => {
      let isReady = false;
      const timer = setTimeout(() => {
        reject(died(`The engine process was not ready after ${startWait / 1000} s.`, ''));
        this.kill();
      }, startWait);
      this.#child.on('message', (raw) => {
        if (!isEngineMessage(raw)) return;
        if (isReady) return onMessage(raw);
        if (raw.type === 'ready') {
          isReady = true;
          clearTimeout(timer);
          resolve();
        } else if (raw.type === 'failed') {
          reject(ImpastoError.fromRecord(raw.error));
        }
      });
      void this.exited.then((exit) => {
        clearTimeout(timer);
        if (exit.pid === undefined) {
          reject(died(`The engine process could not be started with ${execPath}: ${this.#failure?.message}.`, ''));
        } else {
          reject(exitError(exit));
        }
      });
    });
  }
}

/** Lines of an uncaught error's report that follow its message. */
const stackLine = /^\s*(?:at |Node\.js v|[}\]]|$)/;

/** An unexpected end as an error: why, as far as can be told, and the last line it wrote. */
export function exitError(exit: EngineExit): ImpastoError {
  const how = exit.signal === null ? `ended with code ${exitCode(exit.code)}` : `was ended by ${exit.signal}`;
  const line =
    exit.output
      .split('\n')
      .findLast((text) => !stackLine.test(text))
      ?.trim() ?? '';
  return died(`The engine process ${how}.${line && ` It last wrote: ${line}`}`, likelyCause(exit));
}

/** Windows tells what went wrong by a code that is only known in hex, e.g. 0xC0000005. */
function exitCode(code: number | null): string {
  return code !== null && code > 0xffff ? `0x${code.toString(16).toUpperCase()}` : String(code);
}

function likelyCause({ signal, code }: EngineExit): string {
  if (signal === 'SIGKILL') return 'The system may have run out of memory: choose a smaller picture. ';
  if (signal === 'SIGSEGV' || signal === 'SIGABRT' || signal === 'SIGBUS' || (code ?? 0) > 0xffff) {
    return 'A driver or the runtime crashed, or the model file changed while it was in use: try the cpu provider. ';
  }
  return '';
}

function died(message: string, cause: string): ImpastoError {
  return new ImpastoError('ENGINE_DIED', message, `${cause}The next job starts the engine anew.`);
}
