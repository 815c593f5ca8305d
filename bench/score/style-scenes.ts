import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../main/library/files/atomic-write.ts';
import { areaPlanes, type Box, wholePicture } from './area-planes.ts';
import { decodePicture, encodePng, type Picture } from './picture.ts';
import type { Sight } from './score-row.ts';
import { fromPlanes } from './vae-round-trip.ts';

/** A part of a drawing that is to be drawn in a style. */
export interface StyledPart {
  /** What is in it. */
  thing: { name: string; colour: string };
  style: string;
  /** The mask. */
  box: Box;
  /**
   * Where the judge looks for its style, and for its thing: what read drawings that are right by construction best (README.md). It knows
   * whole pictures, and not a part stretched to one.
   */
  looks: { style: Sight; thing: Sight };
}

/** A drawing that nothing was trained on, and what is to become of it. */
export interface StyleScene {
  /** A picture file of the model's size. */
  content: string;
  drawing: Picture;
  ground: string;
  parts: readonly StyledPart[];
}

const Drawings = z.array(
  z.object({
    things: z.array(z.object({ name: z.string(), colour: z.string(), x: z.number() })),
    ground: z.string(),
  }),
);

/** Adapters whose styles the base does not know. */
export const adapterStyles = ['neon', 'mosaic', 'crosshatch'] as const;

type Place = Pick<StyledPart, 'box' | 'looks'>;

/** On the cells of a latent of 32 a side, as all of these are. */
const middleBox: Box = [0.125, 0.125, 0.75, 0.75];
const middle: Place = { box: middleBox, looks: { style: middleBox, thing: wholePicture } };
const left = half([0, 0.125, 0.5, 0.75]);
const right = half([0.5, 0.125, 0.5, 0.75]);

function half(box: Box): Place {
  return { box, looks: { style: { mirrored: box }, thing: { mirrored: box } } };
}

/**
 * Drawings with one thing, whose middle is drawn in one style, and with two beside each other, each half in a style of its own.
 * @param folder with `held.json` and its drawings
 * @param out where the contents are written, at the model's size
 */
export async function styleScenes(
  folder: string,
  out: string,
  side: number,
): Promise<{ one: StyleScene[]; two: StyleScene[] }> {
  const drawings = Drawings.parse(JSON.parse(await readFile(join(folder, 'held.json'), 'utf8')));
  const scenes: { one: StyleScene[]; two: StyleScene[] } = { one: [], two: [] };
  await mkdir(out, { recursive: true });
  for (const [index, { things, ground }] of drawings.entries()) {
    const ordered = things.toSorted((a, b) => a.x - b.x);
    const beside = ordered.length === 2 && (ordered[0]?.x ?? 1) < 0.4 && (ordered[1]?.x ?? 0) > 0.6;
    const kind = ordered.length === 1 ? 'one' : beside ? 'two' : null;
    if (!kind) continue;
    const name = `held-${String(index).padStart(2, '0')}`;
    const drawing = fromPlanes(areaPlanes(await decodePicture(join(folder, `${name}.webp`)), side), side);
    const content = join(out, `${name}.png`);
    await writeFileAtomic(content, await encodePng(drawing), { overwrite: true });
    const places = kind === 'one' ? [middle] : [left, right];
    const count = scenes[kind].length;
    const parts = places.map((place, at): StyledPart => {
      const thing = ordered[at] as (typeof ordered)[number];
      return { thing, style: adapterStyles[(count + at) % adapterStyles.length] as string, ...place };
    });
    scenes[kind].push({ content, drawing, ground, parts });
  }
  return scenes;
}
