import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { DistillationPreset } from '../../contract/adapter.ts';
import type { EngineWarning, RenderSummary } from '../../contract/engine.ts';
import { parseRequest } from '../../contract/parse.ts';
import type { AdapterRef, RenderRequest, RenderRequestInput } from '../../contract/request.ts';
import { inspectAdapter } from '../../models/adapters/inspect-adapter.ts';
import { openCheckpoint } from '../../models/checkpoint/open.ts';
import { loraFolders } from '../engine/adapters/lora-folder.ts';
import { resolvePromptTags } from '../engine/adapters/prompt-tags.ts';
import { builtinAdapters, builtinModel } from '../engine/model/builtin-model.ts';
import { presetFor } from '../engine/model/preset.ts';
import { EngineClient } from '../engine/process/engine-client.ts';
import { exportImage } from '../library/export/export-image.ts';
import { requestFromPicture } from '../library/metadata/read-metadata.ts';
import { requestHashes } from '../library/metadata/request-hashes.ts';
import { adaptersAndRegions, addAdapterFlags } from './adapter-flags.ts';
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
  return addAdapterFlags(addRequestFlags(addOutputFlags(command, 'pictures'))).action(draw);
}

async function draw(prompt: string | undefined, options: Record<string, unknown>): Promise<void> {
  const output = createOutput(options.json === true);
  const exportOptions = outputFromFlags(options);
  const request = await requestOf(prompt, options, output);
  const cancel = cancelOnInterrupt(output);
  const client = await EngineClient.start();
  const bar = output.json ? null : new ProgressBar();
  try {
    // The main process is idle while the engine draws, so the hash costs no time.
    const hashes = requestHashes(request, cancel.signal);
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
    const summary: RenderSummary = { ...result, ...(await hashes) };
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

/** The request: a picture's own where `--like` is given, else the presets; then the flags over it. */
export async function requestOf(
  prompt: string | undefined,
  options: Record<string, unknown>,
  output: Output,
): Promise<RenderRequest> {
  const warn = (warning: EngineWarning) => output.warning(warning);
  const like = typeof options.like === 'string' ? await requestFromPicture(options.like, warn) : null;
  if (like) return requestWithFlags(like, prompt, options, output);
  const given = await overlaid({ seed: randomInt(2 ** 32 - 1) }, prompt, options, output);
  const asked = parseRequest(styleDefaults(given));
  const path = asked.model === 'demo' ? builtinModel().path : resolve(asked.model);
  const preset = (await presetFor(await openCheckpoint(path), await distillationsOf(asked.adapters))).request;
  const flags = styleDefaults(given, preset.guidance?.scale);
  return parseRequest({
    ...preset,
    ...flags,
    scheduler: flags.scheduler?.name ? flags.scheduler : { ...preset.scheduler, ...flags.scheduler },
    guidance: { ...preset.guidance, ...flags.guidance },
  });
}

/** A request that there is already, with what the flags say instead. */
export async function requestWithFlags(
  base: RenderRequest,
  prompt: string | undefined,
  options: Record<string, unknown>,
  output: Output,
): Promise<RenderRequest> {
  return parseRequest(await overlaid(base, prompt, options, output));
}

/** What the flags say, and of the rest what `base` does. */
async function overlaid(
  base: RenderRequestInput,
  prompt: string | undefined,
  options: Record<string, unknown>,
  output: Output,
): Promise<RenderRequestInput> {
  const fromFlags = requestFromFlags(options, base);
  const folders = Array.isArray(options.loraFolder) ? options.loraFolder.map(String) : [];
  // The built-in model's own adapters go by their names: --lora robot.
  const own = (fromFlags.model ?? 'demo') === 'demo' ? builtinAdapters() : null;
  if (own !== null) folders.push(own);
  const resolver = folders.length > 0 ? loraFolders(folders) : null;
  const lists = await adaptersAndRegions(options, resolver);
  // What `base` has was drawn by the method that `base` names.
  const added = { ...requestFromFlags(options), ...lists };
  const method = options.compose === undefined && !fromFlags.style ? impliedMethod(added) : null;
  const given = {
    ...fromFlags,
    ...lists,
    ...(method ? { composition: { ...fromFlags.composition, method } } : {}),
    ...(prompt === undefined ? {} : { prompt }),
  };
  if (!resolver) return given;
  const { request, warnings } = await resolvePromptTags(given, resolver);
  for (const warning of warnings) output.warning(warning);
  return request;
}

/** What regions and concepts are given for, where no method is named. */
function impliedMethod({ concepts, regions }: RenderRequestInput): 'clora' | 'regional' | null {
  if (concepts && concepts.length > 0) return 'clora';
  // Regions with prompts are meant to be drawn from them.
  return regions?.some((region) => region.prompt) ? 'regional' : null;
}

/** A style is drawn as it was published, where neither the flags nor (its guidance scale) the model say anything else. */
function styleDefaults(request: RenderRequestInput, scale = 10.5): RenderRequestInput {
  if (!request.style) return request;
  const { steps = 50, guidance, scheduler } = request;
  return {
    ...request,
    steps,
    guidance: { scale, ...guidance },
    scheduler: { name: 'ddim', ...scheduler },
  };
}

/** What the adapters that act are distilled to, by their files' headers. */
async function distillationsOf(adapters: readonly AdapterRef[]): Promise<DistillationPreset[]> {
  const acting = adapters.filter(({ strength }) => strength > 0);
  const facts = await Promise.all(acting.map(({ path }) => inspectAdapter(resolve(path))));
  return facts.flatMap(({ distillation }) => distillation ?? []);
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
