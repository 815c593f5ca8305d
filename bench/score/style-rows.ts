import { join } from 'node:path';
import { publishedStyle, type RenderRequestInput, type Style } from '../../contract/request.ts';
import { stepsForOne } from '../../contract/steps-drawn.ts';
import { structuralSimilarity } from '../../main/engine/image/structural-similarity.ts';
import type { ComposeModel } from './compose-rows.ts';
import type { Answer } from './judge-answer.ts';
import { fromBytes, type Picture } from './picture.ts';
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
 * For each kind of scene the drawings through the VAE and back; with the styles in their masks, as the studio draws them; the same
 * without the untouched content laid over what is outside, which shows the method itself (what is inside changes what the VAE decodes
 * outside, README.md); and on one latent with the content's injection as it was published. The last two have no bars. Then the one-step
 * restyle: the structure that each strength keeps.
 */
export function styleRows(
  scenes: Readonly<Record<'one' | 'two', readonly StyleScene[]>>,
  model: ComposeModel,
): ScoreRow[] {
  const kinds = [
    ['one mask', scenes.one],
    ['two masks', scenes.two],
  ] as const;
  const masked = kinds.flatMap(([kind, some]): ScoreRow[] => {
    const back = `${kind}: round trip`;
    const bars: Bar[] = [
      { figure: 'style', least: 0.85 },
      { figure: 'object', of: back, below: 0.08 },
      { figure: 'psnr', of: back, below: 1 },
    ];
    const needs = stylesNeeded(some, model);
    return [
      { name: back, trials: some.map((scene) => trial(scene, roundTrip(scene, model))), bars: [] },
      { name: `${kind}: styled`, trials: some.map((scene) => trial(scene, styled(scene, model, {}))), bars, needs },
      ...Object.entries(variants).map(([variant, settings]) => ({
        name: `${kind}: styled, ${variant}`,
        trials: some.map((scene) => trial(scene, styled(scene, model, settings))),
        bars: [],
        needs,
      })),
    ];
  });
  return [...masked, ...restyleStrengths.map((strength) => restyleRow(scenes.one, strength, model))];
}

/** Those between are the next lower one's: a strength decides which of so many steps is the one that is drawn. */
const restyleStrengths = [0.25, 0.5, 1];

/** What draws in few steps, and stands for a Turbo model. */
const fewStep = 'few-step';

/** Each drawing in one step in the colours of the next: is its thing there still, and how much of its structure? */
function restyleRow(scenes: readonly StyleScene[], strength: number, model: ComposeModel): ScoreRow {
  const path = adapterPath(model, fewStep);
  return {
    name: `one-step restyle: strength ${strength}`,
    trials: scenes.map((scene, index): Trial => {
      const like = scenes[(index + 1) % scenes.length] as StyleScene;
      return {
        request: restyled(scene, like, strength, model),
        caption: `${captionOf(scene)}, in the colours of ${captionOf(like)}`,
        mark: ([seen]) => ({ object: scene.parts.every(({ thing }) => thing.name in (seen?.things ?? {})) }),
        measure: (picture) => ({ ssim: structureOf(picture, scene.drawing) }),
      };
    }),
    bars: [],
    needs: [path],
  };
}

const captionOf = ({ parts }: StyleScene): string =>
  parts.map(({ thing }) => `${thing.colour} ${thing.name}`).join(', ');

function restyled(
  { content, parts, ground }: StyleScene,
  like: StyleScene,
  strength: number,
  model: ComposeModel,
): RenderRequestInput {
  const things = parts.map(({ thing }) => `a ${thing.name}`).join(' and ');
  return {
    model: model.folder,
    width: model.side,
    height: model.side,
    prompt: `${things} ${where[ground]}`,
    init: { path: content, strength },
    steps: stepsForOne(strength),
    guidance: { scale: 1 },
    scheduler: { name: 'lcm' },
    adapters: [{ path: adapterPath(model, fewStep) }],
    matchColours: { path: like.content },
  };
}

function stylesNeeded(scenes: readonly StyleScene[], model: ComposeModel): string[] {
  const styles = scenes.flatMap(({ parts }) => parts.map(({ style }) => style));
  return [...new Set(styles)].map((style) => adapterPath(model, style));
}

const adapterPath = ({ folder }: ComposeModel, name: string): string => join(folder, 'adapters', `${name}.safetensors`);

function roundTrip({ content }: StyleScene, { folder, side }: ComposeModel): RenderRequestInput {
  return { model: folder, width: side, height: side, steps: 1, init: { path: content, strength: 0 } };
}

/** What is only measured, beside the studio's own way. */
const variants = {
  'not laid over': { composite: false },
  'on one latent': { ...publishedStyle, pin: true },
} as const satisfies Record<string, Partial<Style>>;

/**
 * The content's lines hold a style back: its adapter acts more than as it was trained, and guidance, which would draw the prompt's things
 * anew, less than usual (README.md).
 */
const styleStrength = 1.4;
const guidanceScale = 2;

function styled(
  { content, parts, ground }: StyleScene,
  model: ComposeModel,
  settings: Partial<Style>,
): RenderRequestInput {
  const names = parts.map((_, index) => `part ${index + 1}`);
  // Each style draws the whole picture: told of its own thing alone it would put that in the middle.
  const things = parts.map(({ thing }) => `a ${thing.colour} ${thing.name}`).join(' to the left of ');
  return {
    model: model.folder,
    width: model.side,
    height: model.side,
    steps: 50,
    guidance: { scale: guidanceScale },
    scheduler: { name: 'ddim' },
    style: { content, ...settings },
    adapters: parts.map(({ style }, index) => ({
      path: adapterPath(model, style),
      strength: styleStrength,
      region: names[index],
    })),
    regions: parts.map(({ style, box }, index) => ({
      name: names[index] as string,
      box: box.map((share) => share * model.side) as [number, number, number, number],
      prompt: `${things} ${where[ground]}, ${style} style`,
    })),
  };
}

function trial(scene: StyleScene, request: RenderRequestInput): Trial {
  const { parts, drawing } = scene;
  return {
    request,
    caption: parts.map(({ thing, style }) => `${thing.name}: ${style}`).join(', '),
    looks: parts.flatMap(({ looks }) => [looks.style, looks.thing]),
    mark: (seen) => styleMarks(scene, seen),
    measure: (picture) => ({
      psnr: Math.min(identical, psnrOutside(picture, drawing, parts)),
      ssim: structureOf(picture, drawing),
    }),
  };
}

/**
 * `style`: every mask shows its style; `object`: what was in it is there still; `colour`: and in its colour.
 * @param seen of each part where its style is looked for, then where its thing is
 */
export function styleMarks({ parts }: Pick<StyleScene, 'parts'>, seen: readonly Answer[]): Marks {
  const all = (right: (part: StyleScene['parts'][number], style: Answer, thing: Answer) => boolean) =>
    parts.every((part, index) => right(part, seen[2 * index] as Answer, seen[2 * index + 1] as Answer));
  return {
    style: all(({ style }, seenStyle) => seenStyle.style === style),
    object: all(({ thing }, _, seenThing) => thing.name in seenThing.things),
    colour: all(({ thing }, _, seenThing) => seenThing.colours[thing.name] === thing.colour),
  };
}

/** Of the whole picture, in luma (SSIM). */
const structureOf = (picture: Picture, drawing: Picture): number =>
  structuralSimilarity(fromBytes(drawing), fromBytes(picture));

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
