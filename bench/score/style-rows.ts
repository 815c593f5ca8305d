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

/**
 * For each kind of scene the drawings through the VAE and back, and with the styles in their masks; the untouched content is not
 * laid over what is outside, so that the method itself is measured.
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
    const styles = some.flatMap(({ parts }) => parts.map(({ style }) => style));
    return [
      { name: back, trials: some.map((scene) => trial(scene, roundTrip(scene, model))), bars: [] },
      {
        name: `${kind}: styled`,
        trials: some.map((scene) => trial(scene, styled(scene, model))),
        bars,
        needs: [...new Set(styles)].map((style) => adapterPath(model, style)),
      },
    ];
  });
}

const adapterPath = ({ folder }: ComposeModel, name: string): string => join(folder, 'adapters', `${name}.safetensors`);

function roundTrip({ content }: StyleScene, { folder, side }: ComposeModel): RenderRequestInput {
  return { model: folder, width: side, height: side, steps: 1, init: { path: content, strength: 0 } };
}

function styled({ content, parts, ground }: StyleScene, model: ComposeModel): RenderRequestInput {
  const names = parts.map((_, index) => `part ${index + 1}`);
  return {
    model: model.folder,
    width: model.side,
    height: model.side,
    steps: 50,
    guidance: { scale: 4 },
    scheduler: { name: 'ddim' },
    style: { content, composite: false },
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
    looks: parts.map(({ look }) => look),
    mark: (seen) => styleMarks(scene, seen),
    measure: (picture) => ({ psnr: psnrOutside(picture, drawing, parts) }),
  };
}

/** `style`: every mask shows its style; `object`: what was in it is there still; `colour`: and in its colour. */
export function styleMarks({ parts }: Pick<StyleScene, 'parts'>, seen: readonly Answer[]): Marks {
  const all = (right: (part: StyleScene['parts'][number], answer: Answer) => boolean) =>
    parts.every((part, index) => right(part, seen[index] as Answer));
  return {
    style: all(({ style }, answer) => answer.style === style),
    object: all(({ thing }, answer) => thing.name in answer.things),
    colour: all(({ thing }, answer) => answer.colours[thing.name] === thing.colour),
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
