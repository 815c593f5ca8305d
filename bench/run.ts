/**
 * Measures Impasto against itself, as ratios in one run, and writes `bench/RESULTS.md`, the sections measured now alone.
 *
 *     npm run bench -- [engine] [adapters] [gradient] [queue] [library] [studio] --dir DIR [--python PYTHON]
 *
 * Without names all sections are measured; `adapters` stands for its five parts. DIR takes the random checkpoints of real size (2 GB for SD1.5) and is left as
 * it is. PYTHON names an interpreter with torch and diffusers, to measure the same step there.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  adapterBranches,
  adapterChanges,
  adapterMemory,
  adapterOpening,
  adaptersInDiffusers,
} from './adapters-section.ts';
import { engineSection } from './engine-section.ts';
import { gradientSection } from './gradient-section.ts';
import { librarySection } from './library-section.ts';
import { queueSection } from './queue-section.ts';
import { type Row, writeSection } from './results.ts';
import { studioSection } from './studio-section.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dir: { type: 'string', default: join(tmpdir(), 'impasto-bench') },
    python: { type: 'string' },
    rounds: { type: 'string', default: '4' },
    ranks: { type: 'string', default: '8,32,128,dora' },
  },
});

const sections: Record<string, { title: string; rows: () => Row[] | null | Promise<Row[] | null> }> = {
  engine: { title: 'Engine', rows: () => engineSection(values) },
  'adapter-changes': { title: 'Adapters: changes between two pictures', rows: () => adapterChanges(values) },
  'adapter-branches': { title: 'Adapters: side branches', rows: () => adapterBranches(values) },
  'adapter-memory': { title: 'Adapters: memory', rows: () => adapterMemory(values) },
  'adapter-opening': { title: 'Adapters: opening', rows: () => adapterOpening(values) },
  'adapter-diffusers': { title: 'Adapters: the same changes in diffusers', rows: () => adaptersInDiffusers(values) },
  gradient: { title: 'Gradient of attention maps', rows: gradientSection },
  queue: { title: 'Queue', rows: () => queueSection(values.dir) },
  library: { title: 'Library', rows: librarySection },
  studio: { title: 'Studio', rows: studioSection },
};

const parts = Object.keys(sections).filter((name) => name.startsWith('adapter-'));
const asked =
  positionals.length > 0
    ? positionals.flatMap((name) => (name === 'adapters' ? parts : [name]))
    : Object.keys(sections);
for (const name of asked)
  if (!sections[name]) throw new Error(`no section ${name}: ${Object.keys(sections).join(', ')}`);
for (const name of asked) {
  const { title, rows } = sections[name] as (typeof sections)[string];
  const measured = await rows();
  if (!measured) continue;
  console.log(writeSection(title, measured));
  if (measured.some(({ holds }) => holds === false)) process.exitCode = 1;
}
