import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type ExportOptionsInput, parseExportOptions } from '../../contract/export.ts';
import { parseRequest } from '../../contract/parse.ts';
import type { RenderRequest, RenderRequestInput } from '../../contract/request.ts';
import { Queue } from './queue.ts';

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'impasto-queue-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** A queue on a database of its own, or on that of a folder. */
export function openQueue(folder = temporaryFolder(), now?: () => number): Queue {
  const queue = new Queue({ path: join(folder, 'queue.sqlite'), ...(now ? { now } : {}) });
  onTestFinished(() => queue.close());
  return queue;
}

export function request(input: RenderRequestInput = {}): RenderRequest {
  return parseRequest(input);
}

export function output(folder: string, options: Partial<ExportOptionsInput> = {}) {
  return parseExportOptions({ folder, name: '{seed}', ...options });
}

/** Adds a job for each prompt; their ids. */
export function addPrompts(queue: Queue, prompts: readonly string[], input: RenderRequestInput = {}): number[] {
  const requests = prompts.map((prompt, index) => request({ seed: index * 100, ...input, prompt }));
  return queue.add({ requests, output: output('/nowhere') }).map(({ id }) => id);
}

/** Prompts of the waiting jobs, in the order of the queue. */
export function waiting(queue: Queue): string[] {
  return queue.list({ states: ['queued', 'running', 'paused'], limit: 1000 }).jobs.map(({ request }) => request.prompt);
}
