import { randomInt } from 'node:crypto';
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { RenderSummary } from '../../contract/engine.ts';
import { parseRequest } from '../../contract/parse.ts';
import type { RenderRequest, RenderRequestInput } from '../../contract/request.ts';
import { autoV2 } from '../../models/checkpoint/hash.ts';
import { openCheckpoint } from '../../models/checkpoint/open.ts';
import { builtinModel } from '../engine/model/builtin-model.ts';
import { presetFor } from '../engine/model/preset.ts';
import { EngineClient } from '../engine/process/engine-client.ts';
import { exportImage } from '../library/export/export-image.ts';
import { requestFromPicture } from '../library/metadata/read-metadata.ts';
import { createOutput, type Output } from './output.ts';
import { addOutputFlags, outputFromFlags } from './output-flags.ts';
import { ProgressBar } from './progress.ts';
import { addRequestFlags, requestFromFlags } from './request-flags.ts';

export function drawCommand(): Command {
  const command = new Command('draw')
    .description('draw a prompt and write the pictures')
    .argument('[prompt]', 'what to draw')
    .option('--like <picture>', "take every setting from a picture's metadata; flags given here override it")
    .option('--json', 'speak in JSON lines', false);
  return addRequestFlags(addOutputFlags(command, 'pictures')).action(draw);
}

async function draw(prompt: string | undefined, options: Record<string, unknown>): Promise<void> {
  const output = createOutput(options.json === true);
  const exportOptions = outputFromFlags(options);
  const request = await requestOf(prompt, options);
  const cancel = cancelOnInterrupt(output);
  const client = await EngineClient.start();
  const bar = output.json ? null : new ProgressBar();
  try {
    // The main process is idle while the engine draws, so the hash costs no time.
    const hash = modelHash(request, cancel.signal);
    const result = await client.render(
      request,
      {
        onProgress: (progress) => {
          bar?.update(progress);
          output.event({ type: 'progress', progress });
        },
        onWarning: (warning) => output.warning(warning),
      },
      cancel.signal,
    );
    bar?.stop();
    const known = await hash;
    const summary: RenderSummary = known ? { ...result, modelHash: known } : result;
    for (const image of result.images) {
      const { path, warnings } = await exportImage(image, summary, exportOptions);
      for (const warning of warnings) output.warning(warning);
      output.event({ type: 'picture', path, seed: image.seed, width: image.width, height: image.height });
      output.line(path);
    }
    report(summary, output);
  } finally {
    bar?.stop();
    cancel.dispose();
    await client.stop();
  }
}

/** The request: a picture's own where `--like` is given, else the model's preset; then the flags over it. */
export async function requestOf(prompt: string | undefined, options: Record<string, unknown>): Promise<RenderRequest> {
  const like =
    typeof options.like === 'string'
      ? await requestFromPicture(options.like, (warning) => createOutput(options.json === true).warning(warning))
      : null;
  const base: RenderRequestInput = like ?? { seed: randomInt(2 ** 32 - 1) };
  const flags = requestFromFlags(options, base);
  const asked = parseRequest({ ...flags, ...(prompt === undefined ? {} : { prompt }) });
  if (like) return asked;
  const path = asked.model === 'demo' ? builtinModel().path : resolve(asked.model);
  const preset = presetFor(await openCheckpoint(path)).request;
  return parseRequest({
    ...preset,
    ...flags,
    scheduler: flags.scheduler?.name ? flags.scheduler : { ...preset.scheduler, ...flags.scheduler },
    guidance: { ...preset.guidance, ...flags.guidance },
    ...(prompt === undefined ? {} : { prompt }),
  });
}

/** AutoV2 of a single-file model, for the picture's metadata; undefined for folders and where the file went away. */
async function modelHash(request: RenderRequest, signal: AbortSignal): Promise<string | undefined> {
  if (request.model === 'demo') return undefined;
  const path = resolve(request.model);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return undefined;
  return autoV2(path, signal).catch(() => undefined);
}

/** The first Ctrl+C cancels between steps, the second stops at once. */
function cancelOnInterrupt(output: Output): { signal: AbortSignal; dispose: () => void } {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
    output.line('cancelling after this step; again to stop at once');
  };
  process.on('SIGINT', interrupt);
  return { signal: controller.signal, dispose: () => process.off('SIGINT', interrupt) };
}

function report(summary: RenderSummary, output: Output): void {
  const { provider, unetRows, timings } = summary;
  output.event({ type: 'done', provider, unetRows, timings, request: summary.request });
  const seconds = ((timings.sample ?? 0) / 1000).toFixed(1);
  const { steps, seed, width, height, scheduler } = summary.request;
  output.line(
    `${width}x${height}, seed ${seed}, ${scheduler.name}, ${steps} steps in ${seconds} s (${unetRows} UNet rows) on ${provider.provider}: ${provider.reason}`,
  );
}
