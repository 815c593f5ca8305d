import type { ModelSession } from '../runtime/session.ts';

/**
 * Runs work with a network's session: built when first needed, kept live until the work is done.
 * @param working bytes that the work's largest run takes beside the weights: the session keeps them afterwards
 */
export type SessionUse = <T>(working: number, work: (session: ModelSession) => Promise<T>) => Promise<T>;
