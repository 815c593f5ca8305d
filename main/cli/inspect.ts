import { resolve } from 'node:path';
import { Command } from 'commander';
import { describeFile, factLines } from '../../models/checkpoint/describe.ts';
import { createOutput } from './output.ts';

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('tell what a model file is, from its header alone')
    .argument('<file>', 'a .safetensors file, a diffusers folder or an ONNX folder')
    .option('--no-hash', 'leave out the hash, which reads the whole file')
    .option('--json', 'speak in JSON lines', false)
    .action(inspect);
}

async function inspect(file: string, options: { hash: boolean; json: boolean }): Promise<void> {
  const output = createOutput(options.json);
  const facts = await describeFile(resolve(file), { hash: options.hash });
  output.event({ type: 'model', ...facts });
  for (const [label, value] of factLines(facts)) output.line(`${label.padEnd(21)} ${value}`);
}
