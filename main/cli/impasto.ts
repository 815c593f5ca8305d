#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { adapterCommand } from './adapter.ts';
import { devicesCommand } from './devices.ts';
import { drawCommand } from './draw.ts';
import { inspectCommand } from './inspect.ts';
import { libraryCommand } from './library.ts';
import { reportError } from './output.ts';
import { queueCommand } from './queue.ts';
import { selectCommand } from './select.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('impasto')
  .description('Stable Diffusion on your own machine: any checkpoint, as it is.')
  .version(version)
  .addCommand(drawCommand())
  .addCommand(inspectCommand())
  .addCommand(adapterCommand())
  .addCommand(selectCommand())
  .addCommand(devicesCommand())
  .addCommand(queueCommand())
  .addCommand(libraryCommand());

// A reader that has seen enough, such as head, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

try {
  await program.parseAsync();
} catch (thrown) {
  if (thrown instanceof CommanderError) process.exit(thrown.exitCode);
  const { code } = reportError(thrown, process.argv.includes('--json'));
  process.exitCode = code === 'CANCELLED' ? 130 : 1;
}
