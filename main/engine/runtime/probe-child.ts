/**
 * Probes the provider named by the first argument and tells the parent what it found. A process of its own: a broken
 * graphics driver can crash it.
 */
import { asImpastoError } from '../../../contract/errors.ts';
import { ProviderName } from '../../../contract/request.ts';
import { providerFailure } from './ort-errors.ts';
import { type ProbeFindings, probe } from './probe.ts';

export type ProbeReply = { findings: ProbeFindings } | { failure: string };

async function reply(): Promise<ProbeReply> {
  try {
    return { findings: await probe(ProviderName.parse(process.argv[2])) };
  } catch (thrown) {
    const { cause, message } = asImpastoError(thrown);
    return { failure: providerFailure(cause instanceof Error ? cause.message : message) };
  }
}

process.on('disconnect', () => process.exit(1));
const found = await reply();
process.send?.(found, () => process.exit(0));
