import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { DeviceReport, EngineWarning, ProviderChoice } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import { ProviderName } from '../../../contract/request.ts';
import { listSupportedBackends } from './ort.ts';
import type { ProbeFindings } from './probe.ts';
import type { ProbeReply } from './probe-child.ts';
import { systemMemory } from './system-memory.ts';

/** A provider as this machine has it. */
export interface ProviderReport {
  provider: ProviderName;
  /** It ran a self-test and gave the CPU's numbers. */
  available: boolean;
  /** Why it can or cannot be used, in words. */
  detail: string;
  /** What it can do; null where it is not available. */
  findings: ProbeFindings | null;
}

/**
 * Order of preference where several are faster than the CPU. CoreML is not among them: how much of a
 * UNet it takes has not been measured. It can be chosen by name.
 */
const automatic: readonly ProviderName[] = ['cuda', 'webgpu', 'dml'];

/** Times the CPU's speed from which a provider is worth its copies to and fro. */
const worthwhile = 1.2;

const platforms: Partial<Record<ProviderName, { platform: NodeJS.Platform; name: string }>> = {
  dml: { platform: 'win32', name: 'Windows' },
  coreml: { platform: 'darwin', name: 'macOS' },
};

const cpu: ProviderReport = {
  provider: 'cpu',
  available: true,
  detail: `${availableParallelism()} threads`,
  findings: { fusedAttention: true, float16: true, speed: 1 },
};

export interface ProbeOptions {
  /** Milliseconds after which a provider that does not answer counts as broken. */
  timeout?: number;
  /** The program that probes; another in tests. */
  child?: URL;
}

/** What a provider can do here. The self-test runs in a short-lived process, which a broken driver may crash. */
export async function probeProvider(provider: ProviderName, options: ProbeOptions = {}): Promise<ProviderReport> {
  const no = (detail: string): ProviderReport => ({ provider, available: false, detail, findings: null });
  if (provider === 'cpu') return cpu;
  const only = platforms[provider];
  if (only && only.platform !== process.platform) return no(`only on ${only.name}`);
  if (!listSupportedBackends().some(({ name }) => name === provider)) {
    return no('this build of ONNX Runtime does not have it');
  }
  const reply = await askChild(provider, options);
  if ('failure' in reply) return no(reply.failure);
  const { findings } = reply;
  const detail = [`${comparedWithCpu(findings.speed)} on a test product`];
  if (!findings.fusedAttention) detail.push('its fused attention is missing or wrong here, so plain attention is used');
  if (!findings.float16) detail.push('no fp16');
  return { provider, available: true, detail: detail.join('; '), findings };
}

/** The providers' reports: each is probed when it is first asked for, one after the other, and once. */
export class ProviderProbes {
  readonly #options: ProbeOptions;
  readonly #reports = new Map<ProviderName, Promise<ProviderReport>>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ProbeOptions = {}) {
    this.#options = options;
  }

  of(provider: ProviderName): Promise<ProviderReport> {
    const known = this.#reports.get(provider);
    if (known) return known;
    // In turn, so that none disturbs another's timing.
    const report = this.#turn.then(() => probeProvider(provider, this.#options));
    this.#turn = report;
    this.#reports.set(provider, report);
    return report;
  }

  /** Every provider that Impasto knows. */
  all(): Promise<ProviderReport[]> {
    return Promise.all(ProviderName.options.map((provider) => this.of(provider)));
  }
}

/**
 * The provider to draw on.
 * @param requested a provider by name, or `auto` for the best that is faster than the CPU
 * @throws ImpastoError `PROVIDER_UNAVAILABLE` where the one asked for cannot be used; it names the next one
 */
export function chooseProvider(
  reports: readonly ProviderReport[],
  requested: ProviderName | 'auto',
): { report: ProviderReport; choice: ProviderChoice } {
  if (requested !== 'auto') {
    const report = reports.find(({ provider }) => provider === requested);
    if (report?.available) return { report, choice: { provider: requested, reason: `chosen; ${report.detail}` } };
    const next = nextProvider(reports, requested);
    throw new ImpastoError(
      'PROVIDER_UNAVAILABLE',
      `The provider ${requested} cannot be used here: ${report?.detail ?? 'it was not probed'}.`,
      `The next best is ${next}: choose it, or \`auto\`.`,
    );
  }
  const report = best(reports);
  const passed = automatic.flatMap((provider) => reports.filter((other) => other.provider === provider));
  const others = passed.filter((other) => other !== report && !isWorthwhile(other) && !foreign(other));
  const because = others.map((other) => `${other.provider}: ${other.detail}`).join('; ');
  const reason = report.provider === 'cpu' ? `no faster provider${because && ` (${because})`}` : report.detail;
  return { report, choice: { provider: report.provider, reason } };
}

/** The provider to try after one that failed. */
export function nextProvider(reports: readonly ProviderReport[], failed: ProviderName): ProviderName {
  return best(reports.filter(({ provider }) => provider !== failed)).provider;
}

/** What to tell the person where a provider failed to load a network and the job goes on with the next one. */
export function providerWarning(failed: ProviderName, error: ImpastoError, next: ProviderName): EngineWarning {
  return { code: 'PROVIDER_CHANGED', message: `${failed} failed: ${error.message} The picture is drawn on ${next}.` };
}

export function deviceReport(reports: readonly ProviderReport[], chosen: ProviderChoice): DeviceReport {
  const memory = systemMemory();
  return {
    providers: reports.map(({ provider, available, detail }) => ({ provider, available, detail })),
    chosen,
    totalMemory: memory.total,
    freeMemory: memory.available,
    cores: availableParallelism(),
  };
}

function best(reports: readonly ProviderReport[]): ProviderReport {
  for (const provider of automatic) {
    const report = reports.find((other) => other.provider === provider);
    if (report && isWorthwhile(report)) return report;
  }
  return reports.find(({ provider }) => provider === 'cpu') ?? cpu;
}

const isWorthwhile = ({ findings }: ProviderReport): boolean => findings !== null && findings.speed >= worthwhile;

/** A provider of another operating system is no news. */
const foreign = ({ provider }: ProviderReport): boolean =>
  platforms[provider] !== undefined && platforms[provider].platform !== process.platform;

function comparedWithCpu(speed: number): string {
  const times = `${speed >= 10 ? Math.round(speed) : speed.toPrecision(2)} times the speed of the CPU`;
  return speed < worthwhile ? `only ${times}` : times;
}

function askChild(provider: ProviderName, options: ProbeOptions): Promise<ProbeReply> {
  const timeout = options.timeout ?? 60_000;
  return new Promise((resolve) => {
    const child = fork(options.child ?? new URL('./probe-child.ts', import.meta.url), [provider], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const timer = setTimeout(() => {
      settle({ failure: `it did not answer within ${timeout / 1000} s` });
      child.kill('SIGKILL');
    }, timeout);
    const settle = (reply: ProbeReply) => {
      clearTimeout(timer);
      resolve(reply);
    };
    child.on('message', (reply) => settle(reply as ProbeReply));
    child.on('error', (error) => settle({ failure: `its self-test could not be started (${error.message})` }));
    child.on('exit', (code, signal) => settle({ failure: `its self-test crashed (${signal ?? `exit code ${code}`})` }));
  });
}
