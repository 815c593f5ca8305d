import type { ModelSession } from '../runtime/session.ts';

/** Runs work with a network's session: built when first needed, kept live until the work is done. */
export type SessionUse = <T>(work: (session: ModelSession) => Promise<T>) => Promise<T>;
