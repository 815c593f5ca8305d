/**
 * Peak memory of a process that opens SD1.5 and so many adapters of rank 32, up to the end of its first step at 512x512,
 * above what the empty engine holds. Prints one JSON line.
 *
 *     node bench/adapter-memory.ts DIR COUNT
 */
import { Engine } from '../main/engine/engine.ts';
import { peakMemory } from './memory.ts';
import { writeRandomLora } from './random-lora.ts';
import { writeRealSize } from './real-size.ts';

const [dir = '', count = '0'] = process.argv.slice(2);
const model = await writeRealSize('sd15', dir);
const paths: string[] = [];
for (let seed = 0; seed < Number(count); seed++) paths.push(await writeRandomLora(dir, 32, seed));
const engine = await Engine.create({ provider: 'cpu' });
const base = process.memoryUsage.rss();
const controller = new AbortController();
let peak = 0;
await engine
  .render(
    {
      model,
      provider: 'cpu',
      prompt: 'a red star on a blue ground',
      steps: 2,
      width: 512,
      height: 512,
      guidance: { scale: 1 },
      adapters: paths.map((path) => ({ path, strength: 0.2 })),
    },
    {
      signal: controller.signal,
      onProgress: ({ stage, step }) => {
        if (stage !== 'sample' || step !== 1) return;
        peak = peakMemory() - base;
        controller.abort();
      },
    },
  )
  .catch((thrown: unknown) => {
    if (peak === 0) throw thrown;
  });
console.log(JSON.stringify({ peak }));
await engine.dispose();
