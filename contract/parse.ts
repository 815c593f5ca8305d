import type { z } from 'zod';
import { ImpastoError } from './errors.ts';
import { maxPromptLength, RenderRequest, type RenderRequestInput } from './request.ts';

/**
 * A RenderRequest with its defaults filled in.
 * @throws ImpastoError `PROMPT_TOO_LONG`, `ADAPTER_DUPLICATE` or `REQUEST_INVALID`, naming the field and what it may be.
 */
export function parseRequest(input: RenderRequestInput | unknown): RenderRequest {
  const parsed = RenderRequest.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') || 'request';
  if ((field === 'prompt' || field === 'negativePrompt') && issue?.code === 'too_big') {
    throw new ImpastoError(
      'PROMPT_TOO_LONG',
      `The ${field === 'prompt' ? 'prompt' : 'negative prompt'} is longer than ${maxPromptLength} characters.`,
      'Shorten it: a model reads 75 tokens (about 60 words) at a time.',
    );
  }
  if (issue?.path[0] === 'adapters' && issue.path[2] === 'name' && issue.code === 'custom') {
    throw new ImpastoError('ADAPTER_DUPLICATE', `${capital(issue.message)}.`, 'Rename one, or leave one out.');
  }
  throw new ImpastoError('REQUEST_INVALID', `${field}: ${describe(issue)}.`, 'Change this setting and try again.');
}

function describe(issue: z.core.$ZodIssue | undefined): string {
  if (!issue) return 'not a render request';
  return issue.message.replace(/\.$/, '');
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
