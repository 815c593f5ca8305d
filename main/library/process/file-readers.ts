import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ImpastoError } from '../../../contract/errors.ts';
import { findNode } from '../../engine/process/node-runtime.ts';
import type { ReaderAnswer, ReaderTask, ReaderTasks } from './reader-protocol.ts';

export interface FileReadersOptions {
  /** How many processes at most. */
  count: number;
  /** `low` for what may take all day. */
  priority: 'normal' | 'low';
  /** Milliseconds without a task after which a process ends; 5 s by default. */
  idle?: number;
  /** The program to run instead, for tests. */
  program?: string;
}

interface Task {
  id: number;
  task: ReaderTask;
  input: unknown;
  /** Deaths of a process that had it in hand. */
  deaths: number;
  resolve: (output: never) => void;
  reject: (error: ImpastoError) => void;
}

interface Reader {
  child: ChildProcess;
  tasks: Map<number, Task>;
  idle: NodeJS.Timeout | undefined;
}

/** Tasks in one process at a time: enough that it need not wait for the next, few enough to find a culprit among. */
const depth = 8;
const standardProgram = fileURLToPath(new URL('./reader-process.ts', import.meta.url));

/** Processes that read files. They start when they are needed and end when they are not. */
export class FileReaders {
  readonly #options: FileReadersOptions;
  readonly #readers = new Set<Reader>();
  #waiting: Task[] = [];
  #next = 1;
  #closed = false;

  constructor(options: FileReadersOptions) {
    this.#options = options;
  }

  /**
   * @throws ImpastoError what the task throws; `FILE_UNREADABLE` where reading the file ended the process twice, the
   *   second time with no other file in hand
   */
  run<T extends ReaderTask>(task: T, input: ReaderTasks[T]['input']): Promise<ReaderTasks[T]['output']> {
    if (this.#closed) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id: this.#next++, task, input, deaths: 0, resolve, reject });
      this.#hand();
    });
  }

  /** Ends the processes; what is under way is given up. */
  close(): void {
    this.#closed = true;
    const given = [...this.#waiting, ...[...this.#readers].flatMap(({ tasks }) => [...tasks.values()])];
    this.#waiting = [];
    for (const reader of this.#readers) {
      clearTimeout(reader.idle);
      reader.tasks.clear();
      reader.child.kill();
    }
    this.#readers.clear();
    for (const { reject } of given) reject(closed());
  }

  #hand(): void {
    while (this.#waiting.length > 0) {
      const reader = this.#freeReader();
      if (!reader) return;
      const task = this.#waiting.shift() as Task;
      clearTimeout(reader.idle);
      reader.tasks.set(task.id, task);
      reader.child.send({ id: task.id, task: task.task, input: task.input });
    }
  }

  /** The one with the least in hand; a suspect gets a process to itself. */
  #freeReader(): Reader | null {
    const suspect = (this.#waiting[0]?.deaths ?? 0) > 0;
    const room = [...this.#readers].filter(
      ({ tasks }) => tasks.size < (suspect ? 1 : depth) && ![...tasks.values()].some(({ deaths }) => deaths > 0),
    );
    const least = room.sort((a, b) => a.tasks.size - b.tasks.size)[0];
    if (least && (least.tasks.size === 0 || this.#readers.size >= this.#options.count)) return least;
    if (this.#readers.size < this.#options.count) return this.#start();
    return least ?? null;
  }

  #start(): Reader {
    const child = fork(this.#options.program ?? standardProgram, [], {
      execPath: findNode(),
      execArgv: [],
      env: { ...process.env, IMPASTO_READER: this.#options.priority },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const reader: Reader = { child, tasks: new Map(), idle: undefined };
    this.#readers.add(reader);
    child.on('message', (answer: ReaderAnswer) => this.#answered(reader, answer));
    // A process that could not be started gives `error`, one that died `exit`.
    child.on('error', () => this.#died(reader));
    child.on('exit', () => this.#died(reader));
    return reader;
  }

  #answered(reader: Reader, answer: ReaderAnswer): void {
    const task = reader.tasks.get(answer.id);
    reader.tasks.delete(answer.id);
    if (answer.ok) task?.resolve(answer.output as never);
    else task?.reject(ImpastoError.fromRecord(answer.error));
    this.#hand();
    if (reader.tasks.size > 0) return;
    clearTimeout(reader.idle);
    reader.idle = setTimeout(() => this.#retire(reader), this.#options.idle ?? 5000).unref();
  }

  #retire(reader: Reader): void {
    if (reader.tasks.size > 0) return;
    this.#readers.delete(reader);
    reader.child.disconnect();
  }

  #died(reader: Reader): void {
    if (!this.#readers.delete(reader)) return;
    clearTimeout(reader.idle);
    const alone = reader.tasks.size === 1;
    for (const task of reader.tasks.values()) {
      task.deaths += 1;
      // With others in hand nobody knows which of them it was: each is tried again, alone.
      if (task.deaths > 1 && alone) task.reject(deadly(task));
      else this.#waiting.push(task);
    }
    reader.tasks.clear();
    if (!this.#closed) this.#hand();
  }
}

function deadly({ input }: Task): ImpastoError {
  const { path } = input as { path: string };
  return new ImpastoError(
    'FILE_UNREADABLE',
    `Reading ${path} ended the process that read it, twice.`,
    'The file is damaged or made to do harm: delete it or get it again.',
  );
}

function closed(): ImpastoError {
  return new ImpastoError('CANCELLED', 'The library was closed.', 'Open Impasto again.');
}
