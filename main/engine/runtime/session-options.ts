import type { ProviderName } from '../../../contract/request.ts';
import type { InferenceSession } from './ort.ts';

export interface SessionSettings {
  /** Folder that external data is relative to; undefined for a graph whose weights lie beside its own file. */
  externalFolder?: string;
  /** Threads of one run; undefined: one a physical core. */
  threads?: number;
  /** Folder and name that the profile of the first run begins with; undefined: not profiled. */
  profilePrefix?: string;
  /** Refuse to load where any node would not run on the provider. */
  strict?: boolean;
}

/** COREML_FLAG_CREATE_MLPROGRAM: the older format lacks many of the operators that a UNet needs. */
const coremlProgram = 0x010;

function executionProvider(provider: ProviderName): InferenceSession.ExecutionProviderConfig {
  return provider === 'coreml' ? { name: 'coreml', coreMlFlags: coremlProgram } : provider;
}

/**
 * Options of a session, measured on ONNX Runtime 1.30 with SD1.5's UNet.
 *
 * - `extended`: the level `all` reorders convolution weights on the CPU: 2.4 GB and 8 s more for 4 % of speed.
 * - no prepacking: it copies every weight. Without it weights stay mapped from the artist's file.
 * - `force_spinning_stop`: several live sessions would else spin against each other between runs.
 * - no memory patterns: from the second run on they hold a planned block beside what the first run took, 60 % more for
 *   VAE decoding at 512x512 and nothing gained in time. DirectML refuses them anyway.
 * - only the one provider is named: the runtime adds the CPU for nodes that the provider lacks (see `placement.ts`), and
 *   a provider that cannot start throws instead of falling back.
 */
export function sessionOptions(provider: ProviderName, settings: SessionSettings): InferenceSession.SessionOptions {
  const session: Record<string, string> = { disable_prepacking: '1', force_spinning_stop: '1' };
  if (settings.externalFolder !== undefined) {
    session.model_external_initializers_file_folder_path = settings.externalFolder;
  }
  if (settings.strict) session.disable_cpu_ep_fallback = '1';
  return {
    executionProviders: [executionProvider(provider)],
    graphOptimizationLevel: 'extended',
    executionMode: 'sequential',
    enableMemPattern: false,
    // Errors are thrown, and placement is reported by us; 4 keeps the runtime's own lines off stderr.
    logSeverityLevel: 4,
    ...(settings.threads === undefined ? {} : { intraOpNumThreads: settings.threads }),
    ...(settings.profilePrefix === undefined
      ? {}
      : { enableProfiling: true, profileFilePrefix: settings.profilePrefix }),
    extra: { session },
  };
}
