/**
 * A UNet row, a row as far as the attention maps, and one of maps with their gradient to the latent: time and memory.
 * Prints one JSON line. Arguments: a model, the latent's side, which of the three (`row`, `maps`, `gradient`), rounds.
 */
import { parseRequest } from '../contract/parse.ts';
import { type MapsVariant, plainVariant } from '../main/engine/adapters/graph-variants.ts';
import { Engine } from '../main/engine/engine.ts';
import { mapLevel } from '../main/engine/pipeline/map-level.ts';
import { median } from './statistics.ts';

const [path = 'demo', side = '', kind = 'row', rounds = '4'] = process.argv.slice(2);
const engine = await Engine.create({ provider: 'cpu' });
const model = await engine.model(parseRequest({ model: path, provider: 'cpu' }), 'cpu');
const { config } = model.unet;
const places = Number(side) || config.sampleSize;
const level = mapLevel(config, model.vae.factor, undefined);
const queries = Math.ceil(places / 2 ** level) ** 2;
const maps: MapsVariant | null = kind === 'row' ? null : { level, alone: true, gradient: kind === 'gradient' };
const wave = (count: number, step: number) =>
  Float32Array.from({ length: count }, (_, at) => Math.sin(at * step) * 1.2);
const width = config.crossAttentionDim;
const conditioning = { hidden: wave(77 * width, 0.37), tokens: 77, width };
const cotangent = { data: wave(queries * 77, 0.71), shape: [1, queries, 77] };
const name = `cotangent/attention_maps/cross/level${level}`;
const run = () =>
  model.unet.call({
    latent: wave(4 * places * places, 12.9898),
    shape: [4, places, places],
    timestep: 500,
    rows: [{ conditioning, inputs: kind === 'gradient' ? { [name]: cotangent } : {} }],
    variant: { ...plainVariant, maps },
  });
const before = process.resourceUsage().maxRSS * 1024;
await run();
const times: number[] = [];
for (let round = 0; round < Number(rounds); round++) {
  const began = performance.now();
  await run();
  times.push((performance.now() - began) / 1000);
}
const peak = process.resourceUsage().maxRSS * 1024;
await engine.dispose();
console.log(JSON.stringify({ seconds: median(times), bytes: peak - before, level }));
