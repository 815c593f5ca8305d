import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { parseRequest } from '../contract/parse.ts';
import { insertPngChunks } from '../main/library/metadata/png-chunks.ts';
import { pngTextChunk } from '../main/library/metadata/png-text.ts';
import { requestToJson } from '../main/library/metadata/request-json.ts';

const words = 'lighthouse dusk oil castle fog red star portrait ink sea harbour winter forest neon glass ruin'.split(
  ' ',
);

/** A word for a picture's prompt, the same one each time. */
export const seedWord = (index: number, turn: number): string | undefined =>
  words[(index * 7 + turn * turn * 13 + (index >> turn)) % words.length];

/** Fills a data folder with pictures as Impasto writes them, over 100 days; all have the same pixels. */
export async function seedPictures(home: string, count: number, side = 64): Promise<void> {
  // A slope of colours with a little grain: about as hard to compress as a drawing is.
  const pixels = Buffer.from(
    Array.from(
      { length: side * side * 3 },
      (_, at) => ((at / 3 / side) | 0) + (((at * 7919) >> 4) & 3) + (at % 3) * 40,
    ),
  );
  const plain = await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();
  for (let index = 0; index < count; index += 1) {
    const word = (turn: number) => seedWord(index, turn);
    const request = parseRequest({
      prompt: `a ${word(1)} in ${word(2)}, ${word(3)} and ${word(4)}, masterpiece, number ${index}`,
      negativePrompt: `blurry, ${word(5)}`,
      model: `/models/model${index % 7}.safetensors`,
      seed: index,
    });
    const folder = join(home, 'pictures', `day ${index % 100}`);
    if (index < 100) mkdirSync(folder, { recursive: true });
    const path = join(folder, `${index}.png`);
    writeFileSync(path, await insertPngChunks(plain, { late: [pngTextChunk('impasto', requestToJson(request))] }));
    utimesSync(path, (index % 100) * 86_400, (index % 100) * 86_400);
  }
}
