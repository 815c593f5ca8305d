import { resolve } from 'node:path';
import cliProgress from 'cli-progress';
import { Command, Option } from 'commander';
import { byteSize } from '../../contract/byte-size.ts';
import { ImpastoError } from '../../contract/errors.ts';
import { type ModelEntry, modelKinds, type PictureEntry, type ScanReport } from '../../contract/library.ts';
import { licenceTitle } from '../library/hub/hub.ts';
import { hubFromEnvironment } from '../library/hub/hub-environment.ts';
import { Library } from '../library/library.ts';
import { impastoPaths } from '../queue/paths.ts';
import { createOutput, type Output, printable } from './output.ts';

type Options = Record<string, unknown>;

/** `impasto library ...`: models and pictures in an artist's folders. */
export function libraryCommand(): Command {
  return new Command('library')
    .description('models and pictures in your folders')
    .addCommand(
      common('scan', 'look through the folders for what is new, changed or gone')
        .option('--hash', 'then compute the hashes that are missing, which reads whole files', false)
        .action((options: Options) => withLibrary(options, scan)),
    )
    .addCommand(
      common('rebuild', 'make the index anew from the files alone').action((options: Options) =>
        withLibrary(options, rebuild),
      ),
    )
    .addCommand(
      common('folders', 'show the folders that are looked through, or change them')
        .option('--add-models <folder...>', 'look for models here too')
        .option('--add-pictures <folder...>', 'look for pictures here too')
        .option('--remove <folder...>', 'look here no longer; the files stay')
        .action((options: Options) => withLibrary(options, folders)),
    )
    .addCommand(
      page(common('models', 'list models, adapters, VAEs and embeddings'))
        .addOption(new Option('--kind <kind>', 'only these').choices([...modelKinds]))
        .addOption(new Option('--family <family>', 'only for this base').choices(['sd1', 'sd2', 'sdxl']))
        .option('--search <words>', 'only those whose name, file, base or triggers hold these words')
        .option('--broken', 'only those that cannot be used, and why', false)
        .action((options: Options) => withLibrary(options, listModels)),
    )
    .addCommand(
      page(common('pictures', 'list pictures, newest first'))
        .option('--search <words>', 'full text: words, "a phrase", -without, model:x, lora:x, negative:x')
        .option('--star', 'only those with a star', false)
        .option('--model <name>', 'only those of this model')
        .option('--from <date>', 'written on this day or later, YYYY-MM-DD')
        .option('--until <date>', 'written before this day')
        .action((options: Options) => withLibrary(options, listPictures)),
    )
    .addCommand(
      common('import', 'copy pictures of any origin into the library')
        .argument('<file...>', 'PNG, JPEG, WebP, AVIF, TIFF or GIF')
        .action((files: string[], options: Options) => withLibrary(options, (given) => importPictures(files, given))),
    )
    .addCommand(
      common('download', 'fetch a model from the Hugging Face hub')
        .argument('<model>', 'owner/name[@revision][:folder or file]')
        .option('--accept-licence <id>', 'agree to its licence, by the name that is shown without this')
        .option('--hub <address>', "the hub's address; by default HF_ENDPOINT or huggingface.co")
        .addHelpText('after', '\nAn access token is taken from the environment variable HF_TOKEN.')
        .action((model: string, options: Options) => withLibrary(options, (given) => download(model, given))),
    );
}

function common(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--home <folder>', "folder of Impasto's data")
    .option('--json', 'speak in JSON lines', false);
}

function page(command: Command): Command {
  return command
    .option('--limit <count>', 'at most so many', '50')
    .option('--offset <count>', 'leave out so many', '0');
}

interface Given {
  library: Library;
  output: Output;
  options: Options;
}

async function withLibrary(options: Options, work: (given: Given) => Promise<void>): Promise<void> {
  const output = createOutput(options.json === true);
  const hub = { ...hubFromEnvironment(), ...(typeof options.hub === 'string' ? { host: options.hub } : {}) };
  const library = new Library({ home: impastoPaths(options.home as string | undefined).home, hub });
  try {
    for (const warning of library.warnings) output.warning(warning);
    await work({ library, output, options });
  } finally {
    library.close();
  }
}

async function scan({ library, output, options }: Given): Promise<void> {
  const stop = showProgress(library, output);
  try {
    tellScan('models', await library.models.scan(), output);
    tellScan('pictures', await library.pictures.scan(), output);
    if (options.hash === true) await library.models.hashAll();
  } finally {
    stop();
  }
}

async function rebuild({ library, output }: Given): Promise<void> {
  const stop = showProgress(library, output);
  try {
    const { models, pictures } = await library.rebuild();
    tellScan('models', models, output);
    tellScan('pictures', pictures, output);
  } finally {
    stop();
  }
}

function tellScan(what: string, report: ScanReport, output: Output): void {
  output.event({ type: 'scan', what, ...report });
  for (const warning of report.warnings) if (!output.json) output.warning(warning);
  const { found, added, changed, removed, broken } = report;
  output.line(`${what}: ${found} found, ${added} new, ${changed} changed, ${removed} gone, ${broken} broken`);
}

async function folders({ library, output, options }: Given): Promise<void> {
  const list = (name: string) => ((options[name] as string[] | undefined) ?? []).map((folder) => resolve(folder));
  const before = library.folders();
  const gone = new Set(list('remove'));
  const known = [...before.models, ...before.pictures];
  for (const folder of gone) {
    if (!known.includes(folder)) {
      throw new ImpastoError('REQUEST_INVALID', `${folder} is none of the library's folders.`, 'See the list of them.');
    }
  }
  const after = {
    models: [...before.models, ...list('addModels')].filter((folder) => !gone.has(folder)),
    pictures: [...before.pictures, ...list('addPictures')].filter((folder) => !gone.has(folder)),
  };
  if (JSON.stringify(after) !== JSON.stringify(before)) await library.setFolders(after);
  output.event({ type: 'folders', ...library.folders() });
  for (const folder of library.folders().models) output.line(`models    ${folder}`);
  for (const folder of library.folders().pictures) output.line(`pictures  ${folder}`);
}

async function listModels({ library, output, options }: Given): Promise<void> {
  const { models, total } = library.models.list({
    ...pageOf(options),
    ...(typeof options.search === 'string' ? { text: options.search } : {}),
    ...(options.kind ? { kind: options.kind as (typeof modelKinds)[number] } : {}),
    ...(options.family ? { family: options.family as 'sd1' | 'sd2' | 'sdxl' } : {}),
    ...(options.broken === true ? { usable: false } : {}),
  });
  for (const model of models) {
    output.event({ type: 'model', model });
    output.line(describeModel(model));
    if (model.problem) output.line(`  ! ${model.problem.message}`);
  }
  tellTotal(models.length, total, output);
}

function describeModel({ kind, base, dtype, bytes, hash, name, path, triggers }: ModelEntry): string {
  const facts = [kind ?? 'unknown', base, dtype, byteSize(bytes), hash].filter(Boolean).join(', ');
  const words = triggers.length > 0 ? `\n  triggers: ${triggers.slice(0, 8).join(', ')}` : '';
  return `${name} (${facts})\n  ${path}${words}`;
}

async function listPictures({ library, output, options }: Given): Promise<void> {
  const { pictures, total } = library.pictures.list({
    ...pageOf(options),
    ...(typeof options.search === 'string' ? { text: options.search } : {}),
    ...(options.star === true ? { star: true } : {}),
    ...(typeof options.model === 'string' ? { model: options.model } : {}),
    ...(options.from ? { from: dayOf(String(options.from)) } : {}),
    ...(options.until ? { until: dayOf(String(options.until)) } : {}),
  });
  for (const picture of pictures) {
    output.event({ type: 'picture', picture });
    output.line(describePicture(picture));
    if (picture.problem) output.line(`  ! ${picture.problem.message}`);
  }
  tellTotal(pictures.length, total, output);
}

function describePicture({ path, star, prompt, model, width, height }: PictureEntry): string {
  const line = prompt.replace(/\s+/g, ' ');
  const shown = line.length > 70 ? `${line.slice(0, 69)}…` : line;
  const facts = [`${width}x${height}`, model].filter(Boolean).join(', ');
  return `${star ? '★' : ' '} ${path} (${facts})${shown ? `\n    ${shown}` : ''}`;
}

function tellTotal(shown: number, total: number, output: Output): void {
  output.event({ type: 'total', total });
  if (total > shown) output.line(`${shown} of ${total} shown (--limit, --offset)`);
  else if (total === 0) output.line('nothing found; impasto library scan looks through the folders');
}

/** Midnight of a day, local time. */
function dayOf(text: string): number {
  const day = /^\d{4}-\d\d-\d\d$/.test(text) ? new Date(`${text}T00:00:00`).getTime() : Number.NaN;
  if (Number.isFinite(day)) return day;
  throw new ImpastoError('REQUEST_INVALID', `${text} is no day.`, 'Write it as YYYY-MM-DD.');
}

function pageOf(options: Options): { limit: number; offset: number } {
  const count = (name: string, least: number, most: number) => {
    const value = Number(options[name]);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new ImpastoError(
      'REQUEST_INVALID',
      `--${name} is ${options[name]}.`,
      `Give a number from ${least} to ${most}.`,
    );
  };
  return { limit: count('limit', 1, 1000), offset: count('offset', 0, Number.MAX_SAFE_INTEGER) };
}

async function importPictures(files: readonly string[], { library, output }: Given): Promise<void> {
  const results = await library.pictures.import(files.map((path) => ({ path })));
  for (const { from, picture, known, problem } of results) {
    output.event({ type: 'imported', from, picture, known, problem });
    if (picture) output.line(`${known ? 'there already' : 'imported'}: ${picture.path}`);
    else if (problem && !output.json) output.warning({ code: problem.code, message: problem.message });
  }
  const failed = results.filter(({ problem }) => problem).length;
  if (failed === 0) return;
  process.exitCode = 1;
  output.line(`${failed} of ${files.length} could not be imported`);
}

async function download(reference: string, { library, output, options }: Given): Promise<void> {
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt);
  const bar =
    output.json || !process.stderr.isTTY ? null : new cliProgress.SingleBar({ format: ' {bar} {percentage}% {file}' });
  try {
    const plan = await library.hub.plan(reference, { signal: stop.signal });
    output.event({ type: 'plan', plan });
    for (const { path, why } of plan.skipped) output.line(`left out: ${path} (${why})`);
    for (const note of plan.notes) output.line(note);
    output.line(`${plan.files.length} files, ${byteSize(plan.bytes)}, to ${plan.folder}`);
    output.line(`licence: ${licenceTitle(plan.licence)}${plan.licence.link ? `, ${plan.licence.link}` : ''}`);
    if (options.acceptLicence === undefined) {
      throw new ImpastoError(
        'LICENCE_NOT_ACCEPTED',
        `${plan.id} is under the licence ${licenceTitle(plan.licence)}.`,
        `Read it, and if you agree run this again with --accept-licence '${plan.licence.id}'. Nothing was fetched.`,
      );
    }
    bar?.start(plan.bytes, plan.bytesHere, { file: '' });
    const { path } = await library.hub.download(plan, {
      acceptLicence: String(options.acceptLicence),
      signal: stop.signal,
      onProgress: (progress) => {
        output.event({ type: 'download', progress });
        bar?.update(progress.received, { file: printable(progress.file) });
      },
    });
    bar?.stop();
    await library.models.scan();
    output.event({ type: 'downloaded', path });
    output.line(`it is in ${path}`);
  } finally {
    bar?.stop();
    process.off('SIGINT', interrupt);
  }
}

/** A bar on a terminal, JSON lines where they are asked for. @returns what ends it */
function showProgress(library: Library, output: Output): () => void {
  const bar =
    output.json || !process.stderr.isTTY
      ? null
      : new cliProgress.SingleBar({ format: ' {bar} {value}/{total} {what}', clearOnComplete: true });
  let what = '';
  const forget = library.on((event) => {
    if (event.type !== 'progress') return;
    const { progress } = event;
    output.event({ type: 'progress', progress });
    if (what !== progress.what) bar?.start(progress.total, progress.done, { what: progress.what });
    what = progress.what;
    bar?.setTotal(progress.total);
    bar?.update(progress.done, { what });
  });
  return () => {
    forget();
    bar?.stop();
  };
}
