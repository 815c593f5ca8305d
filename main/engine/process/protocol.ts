import { z } from 'zod';
import { Click } from '../../../contract/click-select.ts';
import type { EngineCommand, EngineMessage, EngineSettings } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import { EstimateRequest } from '../../../contract/memory-estimate.ts';
import { parseRequest } from '../../../contract/parse.ts';
import { ProviderName } from '../../../contract/request.ts';

/** Commands are checked at the engine's door: what is not one of these does not reach it. */

const id = z.number().int().min(1);

const Command = z.discriminatedUnion('type', [
  // The request is checked by `parseRequest`, which says what is wrong in a person's words.
  z.strictObject({
    type: z.literal('render'),
    id,
    request: z.unknown(),
    previewEvery: z.number().int().min(0),
    checkpoints: z.strictObject({ after: z.number().min(0), every: z.number().min(0) }).exactOptional(),
    resume: z.array(z.custom<Float32Array>((value) => value instanceof Float32Array)).exactOptional(),
  }),
  z.strictObject({
    type: z.literal('segment'),
    id,
    request: z.strictObject({ picture: z.string(), model: z.string(), clicks: z.array(Click) }),
  }),
  z.strictObject({ type: z.literal('cancel'), id }),
  z.strictObject({ type: z.literal('devices'), id }),
  z.strictObject({ type: z.literal('memory'), id }),
  z.strictObject({ type: z.literal('estimate'), id, request: EstimateRequest }),
  z.strictObject({ type: z.literal('release'), id }),
  z.strictObject({ type: z.literal('exit') }),
]);

const Settings = z.strictObject({
  provider: z.union([z.literal('auto'), ProviderName]).exactOptional(),
  memoryBudget: z.number().positive().exactOptional(),
  threads: z.number().int().min(1).max(1024).exactOptional(),
});

/**
 * @throws ImpastoError `REQUEST_INVALID` where it is no command, `PROMPT_TOO_LONG` too where it is a render command
 */
export function parseCommand(raw: unknown): EngineCommand {
  const parsed = Command.safeParse(raw);
  if (!parsed.success) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `The engine was sent something that is no command: ${z.prettifyError(parsed.error).replace(/\s+/g, ' ')}`,
      'This is a defect in Impasto: please report it.',
    );
  }
  const command = parsed.data;
  return command.type === 'render' ? { ...command, request: parseRequest(command.request) } : command;
}

/** The id that an answer to an unreadable command goes to; 0 where it has none. */
export function commandId(raw: unknown): number {
  const parsed = z.object({ id }).safeParse(raw);
  return parsed.success ? parsed.data.id : 0;
}

/** @throws ImpastoError `REQUEST_INVALID` */
export function parseSettings(json: string): EngineSettings {
  const parsed = Settings.safeParse(JSON.parse(json));
  if (parsed.success) return parsed.data;
  throw new ImpastoError(
    'REQUEST_INVALID',
    `The engine's settings are wrong: ${z.prettifyError(parsed.error).replace(/\s+/g, ' ')}`,
    'Correct the provider or the memory budget.',
  );
}

const messageTypes: ReadonlySet<string> = new Set<EngineMessage['type']>([
  'ready',
  'failed',
  'progress',
  'preview',
  'checkpoint',
  'image',
  'warning',
  'done',
  'segmented',
  'devices',
  'memory',
  'estimate',
  'released',
  'error',
]);

/** Whether something on the channel is the engine's: a library may send words of its own. */
export function isEngineMessage(raw: unknown): raw is EngineMessage {
  return (
    typeof raw === 'object' &&
    raw !== null &&
    'type' in raw &&
    typeof raw.type === 'string' &&
    messageTypes.has(raw.type)
  );
}
