import type { HubOptions } from './hub-client.ts';

/** The hub's address and a person's token, as every program of Hugging Face's takes them. */
export function hubFromEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Pick<HubOptions, 'host' | 'token'> {
  return { ...(env.HF_ENDPOINT ? { host: env.HF_ENDPOINT } : {}), ...(env.HF_TOKEN ? { token: env.HF_TOKEN } : {}) };
}
