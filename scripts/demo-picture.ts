/**
 * Draws the picture in README.md: a sheet of what the built-in model draws, by our own engine.
 *
 *     npm run demo:picture -- [--out FILE] [--model DIR] [--steps N]
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { EnginePool } from '../bench/score/engine-pool.ts';
import { encodePng, type Picture, toBytes } from '../bench/score/picture.ts';
import { parseRequest } from '../contract/parse.ts';
import { writeFileAtomic } from '../main/library/files/atomic-write.ts';

/** Every object, colour, ground and style of its language, with the seed of each. */
const prompts: readonly (readonly [prompt: string, seed: number])[] = [
  ['a red boat by the sea, flat poster', 1],
  ['a yellow star in the night sky, paper cut', 2],
  ['a green tree on the grass, soft watercolour', 3],
  ['an orange fish by the sea, ink outline', 4],
  ['a pink heart on a plain background, paper cut', 5],
  ['a purple kite at sunset, flat poster', 6],

  ['a blue house on the sand, soft watercolour', 7],
  ['a white moon in the night sky, flat poster', 8],
  ['a black cat on the grass, paper cut', 9],
  ['a red mushroom on the grass, ink outline', 10],
  ['a yellow bird at sunset, soft watercolour', 11],
  ['a pink flower on the sand, flat poster', 12],

  ['a green cup on a plain background, ink outline', 13],
  ['a blue bird to the left of a red flower on the grass, flat poster', 14],
  ['an orange circle at sunset, paper cut', 15],
  ['a purple house in the night sky, ink outline', 16],
  ['a yellow moon above a white boat by the sea, paper cut', 17],
  ['a red star on the sand, soft watercolour', 18],
];
const columns = 6;
/** Pixels between two pictures: see-through, so that the page shows, light or dark. */
const gap = 4;

/** Pictures of one size side by side, at the size that they were drawn. */
async function sheet(pictures: readonly Picture[]): Promise<Buffer> {
  const [first] = pictures;
  if (!first) throw new Error('there is no picture');
  const [across, down] = [first.width + gap, first.height + gap];
  const layers = await Promise.all(
    pictures.map(async (picture, index) => ({
      input: await encodePng(picture),
      left: (index % columns) * across,
      top: Math.floor(index / columns) * down,
    })),
  );
  const size = { width: columns * across - gap, height: Math.ceil(pictures.length / columns) * down - gap };
  return sharp({ create: { ...size, channels: 4, background: '#0000' } })
    .composite(layers)
    .png({ compressionLevel: 9 })
    .toBuffer();
}

const root = resolve(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: resolve(root, 'docs/demo.png') },
    model: { type: 'string', default: resolve(root, 'models/demo') },
    steps: { type: 'string', default: '20' },
  },
});
const requests = prompts.map(([prompt, seed]) =>
  parseRequest({
    model: resolve(values.model),
    prompt,
    seed,
    steps: Number(values.steps),
    guidance: { scale: 4 },
    scheduler: { name: 'ddim' },
    provider: 'cpu',
  }),
);
const pool = new EnginePool('cpu');
const pictures: Picture[] = [];
try {
  await pool.draw(requests, ({ images }, seconds, index) => {
    for (const { width, height, pixels } of images) pictures[index] = { width, height, rgb: toBytes(pixels) };
    console.log(`${seconds.toFixed(1)} s  ${requests[index]?.prompt}`);
  });
} finally {
  await pool.stop();
}
await writeFileAtomic(resolve(values.out), await sheet(pictures), { overwrite: true });
console.log(resolve(values.out));
