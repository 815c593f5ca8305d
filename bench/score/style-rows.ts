import { join } from 'node:path';
import type { RenderRequestInput } from '../../contract/request.ts';
import type { ComposeModel } from './compose-rows.ts';
import type { Answer } from './judge-answer.ts';
import type { Picture } from './picture.ts';
import type { Marks } from './scene-marks.ts';
import type { Bar, ScoreRow, Trial } from './score-row.ts';
import type { StyleScene } from './style-scenes.ts';

const where: Readonly<Record<string, string>> = {
  sea: 'by the sea',
  grass: 'on the grass',
  'night sky': 'in the night sky',
  sand: 'on the sand',
  sunset: 'at sunset',
  plain: 'on a plain background',
};

/** Where no pixel differs; JSON has no infinity. */
const identical = 99;

/**
 * For each kind of scene the drawings through the VAE and back; with the styles in their masks, as the studio draws them; and the
 * same without the untouched content laid over what is outside, which shows the method itself. That has no bar: what is inside
 * changes what the VAE decodes outside (README.md).
 */
export function styleRows(
  scenes: Readonly<Record<'one' | 'two', readonly StyleScene[]>>,
  model: ComposeModel,
): ScoreRow[] {
  const kinds = [
    ['one mask', scenes.one],
    ['two masks', scenes.two],
  ] as const;
  return kinds.flatMap(([kind, some]): ScoreRow[] => {
    const back = `${kind}: round trip`;
    const bars: Bar[] = [
      { figure: 'style', least: 0.85 },
      { figure: 'object', of: back, below: 0.08 },
      { figure: 'psnr', of: back, below: 1 },
    ];
    const needs = stylesNeeded(some, model);
    return [
      { name: back, trials: some.map((scene) => trial(scene, roundTrip(scene, model))), bars: [] },
      { name: `${kind}: styled`, trials: some.map((scene) => trial(scene, styled(scene, model, true))), bars, needs },
      {
        name: `${kind}: styled, not laid over`,
        trials: some.map((scene) => trial(scene, styled(scene, model, false))),
        bars: [],
        needs,
      },
    ];
  });
}

function stylesNeeded(scenes: readonly StyleScene[], model: ComposeModel): string[] {
  const styles = scenes.flatMap(({ parts }) => parts.map(({ style }) => style));
  return [...new Set(styles)].map((style) => adapterPath(model, style));
}

const adapterPath = ({ folder }: ComposeModel, name: string): string => join(folder, 'adapters', `${name}.safetensors`);

function roundTrip({ content }: StyleScene, { folder, side }: ComposeModel): RenderRequestInput {
  return { model: folder, width: side, height: side, steps: 1, init: { path: content, strength: 0 } };
}

function styled({ content, parts, ground }: StyleScene, model: ComposeModel, composite: boolean): RenderRequestInput {
  const names = parts.map((_, index) => `part ${index + 1}`);
  return {
    model: model.folder,
    width: model.side,
    height: model.side,
    steps: 50,
    guidance: { scale: 4 },
    scheduler: { name: 'ddim' },
    style: { content, composite },
    adapters: parts.map(({ style }, index) => ({ path: adapterPath(model, style), region: names[index] })),
    regions: parts.map(({ thing, style, box }, index) => ({
      name: names[index] as string,
      box: box.map((share) => share * model.side) as [number, number, number, number],
      prompt: `a ${thing.colour} ${thing.name} ${where[ground]}, ${style} style`,
    })),
  };
}

function trial(scene: StyleScene, request: RenderRequestInput): Trial {
  const { parts, drawing } = scene;
  return {
    request,
    caption: parts.map(({ thing, style }) => `${thing.name}: ${style}`).join(', '),
    looks: parts.flatMap(({ box, look }) => [box, look]),
    mark: (seen) => styleMarks(scene, seen),
    measure: (picture) => ({ psnr: Math.min(identical, psnrOutside(picture, drawing, parts)) }),
  };
}

/**
 * `style`: every mask shows its style; `object`: what was in it is there still; `colour`: and in its colour.
 * @param seen of each part its mask, then where its thing is looked for
 */
export function styleMarks({ parts }: Pick<StyleScene, 'parts'>, seen: readonly Answer[]): Marks {
  const all = (right: (part: StyleScene['parts'][number], mask: Answer, look: Answer) => boolean) =>
    parts.every((part, index) => right(part, seen[2 * index] as Answer, seen[2 * index + 1] as Answer));
  return {
    style: all(({ style }, mask) => mask.style === style),
    object: all(({ thing }, _, look) => thing.name in look.things),
    colour: all(({ thing }, _, look) => look.colours[thing.name] === thing.colour),
  };
}

/** Peak signal to noise ratio in dB over the pixels that no mask holds. */
export function psnrOutside(
  picture: Picture,
  drawing: Picture,
  parts: readonly Pick<StyleScene['parts'][number], 'box'>[],
) {
  const { width, height } = drawing;
  let [sum, count] = [0, 0];
  for (let at = 0; at < width * height; at++) {
    const [x, y] = [((at % width) + 0.5) / width, (Math.floor(at / width) + 0.5) / height];
    if (parts.some(({ box: [left, top, w, h] }) => x > left && x < left + w && y > top && y < top + h)) continue;
    for (let channel = at * 3; channel < at * 3 + 3; channel++) {
      sum += (((picture.rgb[channel] as number) - (drawing.rgb[channel] as number)) / 255) ** 2;
      count += 1;
    }
  }
  return -10 * Math.log10(sum / count);
}
