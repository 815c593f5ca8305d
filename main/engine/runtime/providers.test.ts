import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { ImpastoError } from '../../../contract/errors.ts';
import { ProviderName } from '../../../contract/request.ts';
import {
  chooseProvider,
  deviceReport,
  nextProvider,
  ProviderProbes,
  type ProviderReport,
  probeProvider,
  providerWarning,
} from './providers.ts';
import { temporaryFolder, webgpuHere } from './test-support.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const webgpu = await webgpuHere();

const usable = (provider: ProviderName, speed: number): ProviderReport => ({
  provider,
  available: true,
  detail: `${speed} times the speed`,
  findings: { fusedAttention: true, float16: true, speed },
});
const broken = (provider: ProviderName, detail: string): ProviderReport => ({
  provider,
  available: false,
  detail,
  findings: null,
});
const cpu = usable('cpu', 1);

describe('chooseProvider', () => {
  it('takes the first that is faster than the CPU and says why', () => {
    const reports = [cpu, usable('webgpu', 9), broken('cuda', 'no libraries')];
    expect(chooseProvider(reports, 'auto').choice).toEqual({ provider: 'webgpu', reason: '9 times the speed' });
    expect(chooseProvider([...reports, usable('cuda', 30)].reverse(), 'auto').choice.provider).toBe('cuda');
  });

  it('takes the CPU where the others are slower or broken, and names each', () => {
    const { choice } = chooseProvider([cpu, usable('webgpu', 0.01), broken('cuda', 'no libraries')], 'auto');
    expect(choice).toEqual({
      provider: 'cpu',
      reason: 'no faster provider (cuda: no libraries; webgpu: 0.01 times the speed)',
    });
  });

  it('takes the one asked for though it is slow', () => {
    expect(chooseProvider([cpu, usable('webgpu', 0.01)], 'webgpu').choice.provider).toBe('webgpu');
  });

  it('refuses one that does not work, says why and names the next', () => {
    const choose = () => chooseProvider([cpu, usable('webgpu', 9), broken('cuda', 'no libraries')], 'cuda');
    expect(choose).toThrow('The provider cuda cannot be used here: no libraries.');
    try {
      choose();
    } catch (error) {
      expect(error).toMatchObject({
        code: 'PROVIDER_UNAVAILABLE',
        remedy: expect.stringContaining('next best is webgpu'),
      });
    }
  });
});

it('nextProvider never gives the one that failed', () => {
  const reports = [cpu, usable('webgpu', 9), usable('cuda', 30)];
  expect(nextProvider(reports, 'cuda')).toBe('webgpu');
  expect(nextProvider(reports, 'webgpu')).toBe('cuda');
  const failure = new ImpastoError('OUT_OF_MEMORY', 'Memory ran out.', '');
  expect(providerWarning('cuda', failure, 'webgpu').message).toBe(
    'cuda failed: Memory ran out. The picture is drawn on webgpu.',
  );
});

describe('probeProvider', () => {
  const child = (name: string, text: string): URL => {
    const path = join(folder.path, `${name}.mjs`);
    writeFileSync(path, text);
    return pathToFileURL(path);
  };

  it('outlives a driver that crashes, hangs or babbles', async () => {
    const crash = await probeProvider('webgpu', { child: child('crash', 'process.abort();') });
    expect(crash).toMatchObject({ available: false, findings: null });
    expect(crash.detail).toMatch(/^its self-test crashed/);
    const hang = child('hang', 'console.log("hello"); for (;;);');
    expect((await probeProvider('webgpu', { child: hang, timeout: 500 })).detail).toBe(
      'it did not answer within 0.5 s',
    );
    const findings = { fusedAttention: false, float16: true, speed: 3 };
    const fine = child('fine', `console.log('noise'); process.send(${JSON.stringify({ findings })});`);
    expect(await probeProvider('webgpu', { child: fine })).toEqual({
      provider: 'webgpu',
      available: true,
      detail:
        '3.0 times the speed of the CPU on a test product; its fused attention is missing or wrong here, so plain attention is used',
      findings,
    });
  });

  it('is asked for the named provider only, and once', async () => {
    const log = join(folder.path, 'probed.txt');
    const findings = { fusedAttention: true, float16: true, speed: 3 };
    const text = [
      "import { appendFileSync } from 'node:fs';",
      `appendFileSync(${JSON.stringify(log)}, process.argv[2] + '\\n');`,
      `process.send(${JSON.stringify({ findings })});`,
    ];
    const probes = new ProviderProbes({ child: child('log', text.join('\n')) });
    await Promise.all([probes.of('webgpu'), probes.of('webgpu'), probes.of('cpu')]);
    expect(readFileSync(log, 'utf8')).toBe('webgpu\n');
    const reports = await probes.all();
    expect(reports.map(({ provider }) => provider)).toEqual(ProviderName.options);
    expect(readFileSync(log, 'utf8').match(/webgpu/g)).toHaveLength(1);
  });

  it('knows that a provider belongs to another system', async () => {
    const [foreign, name] =
      process.platform === 'win32' ? (['coreml', 'macOS'] as const) : (['dml', 'Windows'] as const);
    expect((await probeProvider(foreign)).detail).toBe(`only on ${name}`);
  });

  it(webgpu ? 'measures the adapter there is' : 'says that there is no adapter', async () => {
    const { available, detail, findings } = await probeProvider('webgpu');
    expect(available).toBe(webgpu);
    if (webgpu) {
      expect(findings?.speed).toBeGreaterThan(0);
      expect(typeof findings?.fusedAttention).toBe('boolean');
    } else {
      expect(detail).toContain('no graphics adapter');
    }
  });
});

it('deviceReport is plain data of this machine', () => {
  const report = deviceReport([cpu], { provider: 'cpu', reason: 'r' });
  expect(structuredClone(report)).toEqual(report);
  expect(report.providers).toEqual([{ provider: 'cpu', available: true, detail: '1 times the speed' }]);
  expect(report.freeMemory).toBeLessThanOrEqual(report.totalMemory);
});
