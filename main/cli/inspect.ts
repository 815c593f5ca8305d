import { resolve } from 'node:path';
import { Command } from 'commander';
import { asImpastoError, ImpastoError } from '../../contract/errors.ts';
import { adapterFit } from '../../models/adapters/adapter-fit.ts';
import { adapterLines } from '../../models/adapters/describe-adapter.ts';
import { inspectAdapter } from '../../models/adapters/inspect-adapter.ts';
import { describeFile, factLines } from '../../models/checkpoint/describe.ts';
import { openCheckpoint } from '../../models/checkpoint/open.ts';
import { modelPath } from '../handlers/model-path.ts';
import { createOutput, type Output } from './output.ts';

interface Options {
  hash: boolean;
  model?: string;
  json: boolean;
}

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('tell what a model or an adapter is, from its header alone')
    .argument('<file>', 'a .safetensors file, a diffusers folder or an ONNX folder')
    .option('--model <path>', 'the checkpoint that an adapter is to act on: tells how many of its layers do')
    .option('--no-hash', 'leave out the hash, which reads the whole file')
    .option('--json', 'speak in JSON lines', false)
    .action(inspect);
}

async function inspect(file: string, { hash, model, json }: Options): Promise<void> {
  const output = createOutput(json);
  const path = resolve(file);
  const facts = await describeFile(path, { hash }).catch((thrown: unknown) => {
    const error = asImpastoError(thrown);
    if (error.code !== 'IS_ADAPTER') throw error;
    return error;
  });
  if (facts instanceof ImpastoError) return inspectLora(path, model, output, facts);
  output.event({ type: 'model', ...facts });
  tell(factLines(facts), output);
}

/**
 * @param notModel what was said of the file as a checkpoint: of adapters that are no LoRA all that is known
 * @throws ImpastoError `ADAPTER_WRONG_BASE` or `ADAPTER_INVALID` where it does not fit the model, after all else is told
 */
async function inspectLora(
  path: string,
  model: string | undefined,
  output: Output,
  notModel: ImpastoError,
): Promise<void> {
  const facts = await inspectAdapter(path).catch((thrown: unknown) => {
    throw asImpastoError(thrown).code === 'ADAPTER_INVALID' ? notModel : thrown;
  });
  const fit = model === undefined ? null : await adapterFit(path, await openCheckpoint(modelPath(model).path));
  output.event({ type: 'adapter', ...facts, ...(fit ? { fit } : {}) });
  tell(adapterLines(facts, fit), output);
  const problem = fit?.problem;
  if (problem) throw ImpastoError.fromRecord(problem);
}

function tell(lines: readonly [label: string, value: string][], output: Output): void {
  for (const [label, value] of lines) output.line(`${label.padEnd(21)} ${value}`);
}
