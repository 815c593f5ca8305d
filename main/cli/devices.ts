import { Command } from 'commander';
import { byteSize } from '../../contract/byte-size.ts';
import { EngineClient } from '../engine/process/engine-client.ts';
import { createOutput } from './output.ts';

export function devicesCommand(): Command {
  return new Command('devices')
    .description('what this machine can draw on, which would be chosen and why')
    .option('--json', 'speak in JSON lines', false)
    .action(devices);
}

async function devices(options: { json: boolean }): Promise<void> {
  const output = createOutput(options.json);
  const client = await EngineClient.start();
  try {
    const report = await client.devices();
    output.event({ type: 'devices', ...report });
    for (const { provider, available, detail } of report.providers) {
      const mark = provider === report.chosen.provider ? '→' : ' ';
      output.line(`${mark} ${provider.padEnd(8)} ${available ? 'yes' : 'no '}  ${detail}`);
    }
    output.line(`\n${report.chosen.provider}: ${report.chosen.reason}`);
    output.line(`${report.cores} cores, ${byteSize(report.freeMemory)} of ${byteSize(report.totalMemory)} memory free`);
  } finally {
    await client.stop();
  }
}
