import type { AdapterFacts, LayerCount, TrainingFacts } from '../../contract/adapter.ts';
import type { AdapterFit } from './adapter-fit.ts';

/** The facts of an adapter, and of how it fits a model where one is named, as lines to read: label and value. */
export function adapterLines(facts: AdapterFacts, fit: AdapterFit | null): [label: string, value: string][] {
  const { base, baseFrom, layers, distillation } = facts;
  const lines: [string, string][] = [
    ['file', facts.path],
    ['adapter', `${facts.algorithm}, ${facts.keyStyle} keys`],
    ['base', base === null ? 'the file does not tell' : `${base} (told by its ${baseFrom})`],
    ['rank', counts(facts.ranks)],
    ['alpha', facts.alphas.length > 0 ? counts(facts.alphas) : 'none: as the rank'],
    ['layers', networks(layers)],
    ['dtype', facts.dtype],
    ['triggers', facts.triggers.length > 0 ? facts.triggers.join(', ') : 'none told'],
  ];
  if (distillation) {
    const { kind, steps, guidance, scheduler, note } = distillation;
    lines.push(['made for', `${kind}: ${scheduler}, ${steps} steps, guidance ${guidance}. ${note}`]);
  }
  for (const [name, value] of Object.entries(facts.metadata) as [keyof TrainingFacts, string | number][]) {
    const told = name === 'finishedAt' ? new Date(Number(value) * 1000).toISOString().slice(0, 10) : String(value);
    lines.push([trained[name], told]);
  }
  if (fit) {
    const { applied, of, unmatched } = fit;
    const some = unmatched.slice(0, 3).join(', ');
    const more = of - applied > 3 ? ` and ${of - applied - 3} more` : '';
    lines.push(['matched', `${applied} of ${of} layers${some === '' ? '' : `; not ${some}${more}`}`]);
  }
  if (facts.foreign.length > 0) lines.push(['left out', `${facts.foreign.length} tensors that are no adapter's`]);
  for (const { message } of facts.warnings) lines.push(['note', message]);
  return lines;
}

const trained: Record<keyof TrainingFacts, string> = {
  title: 'title',
  author: 'author',
  description: 'description',
  license: 'licence',
  base: 'trained for',
  baseModel: 'trained on',
  baseModelHash: 'its hash',
  networkModule: 'module',
  networkRank: 'rank asked for',
  networkAlpha: 'alpha asked for',
  resolution: 'resolution',
  steps: 'steps',
  epochs: 'epochs',
  images: 'pictures',
  learningRate: 'learning rate',
  optimizer: 'optimizer',
  comment: 'comment',
  predictionType: 'prediction type',
  finishedAt: 'finished at',
};

/** `16`, or of several `16 (10 layers), 4 (2 layers)`. */
function counts(values: readonly LayerCount[]): string {
  const [only, ...more] = values;
  if (only && more.length === 0) return String(only.value);
  return values.map(({ value, layers }) => `${value} (${layers} ${layers === 1 ? 'layer' : 'layers'})`).join(', ');
}

function networks({ unet, textEncoder, textEncoder2, unknown }: AdapterFacts['layers']): string {
  const parts: [number, string][] = [
    [unet, 'of the UNet'],
    [textEncoder, 'of the text encoder'],
    [textEncoder2, 'of the second text encoder'],
    [unknown, 'of no network that is named'],
  ];
  return parts
    .filter(([count]) => count > 0)
    .map(([count, whose]) => `${count} ${whose}`)
    .join(', ');
}
