import { join } from 'node:path';
import type { RenderRequestInput } from '../../contract/request.ts';
import { composedMarks } from './compose-marks.ts';
import { type ComposeMethod, composeMethods } from './compose-methods.ts';
import { type ComposeScene, type SceneKind, sceneKinds } from './compose-scenes.ts';
import type { Bar, ScoreRow, Trial } from './score-row.ts';

export interface ComposeModel {
  /** The model's folder, with `adapters/` in it. */
  folder: string;
  /** Side of its pictures in pixels. */
  side: number;
}

/** A row for each kind of scene and each method, of `count` pictures. */
export function composeRows(model: ComposeModel, count: number): ScoreRow[] {
  return sceneKinds.flatMap((kind) =>
    composeMethods
      .filter((method) => acts(method, kind.scene(0)))
      .map((method) => composeRow(kind, method, model, count)),
  );
}

/** One region has no other to be isolated from, and one concept none to be kept apart from. */
function acts({ composition, concepts }: ComposeMethod, { characters }: ComposeScene): boolean {
  return characters.length > 1 || ((composition?.isolation ?? 0) === 0 && !concepts);
}

function composeRow(kind: SceneKind, method: ComposeMethod, model: ComposeModel, count: number): ScoreRow {
  const scenes = Array.from({ length: count }, (_, index) => kind.scene(index));
  const adapters = method.composition ? scenes.flatMap(adapterNames) : [];
  return {
    name: `${kind.name}: ${method.name}`,
    trials: scenes.map((scene) => composeTrial(scene, method, model)),
    bars: bars(kind, method),
    needs: [...new Set(adapters)].map((name) => adapterPath(model, name)),
  };
}

/** Regions with given boxes are to get both characters right, and exact CLoRA more than the sum; the others are only measured. */
function bars(kind: SceneKind, { composition, boxes }: ComposeMethod): Bar[] {
  if (kind.name !== 'two characters') return [];
  if (boxes && composition?.method === 'regional') return [{ figure: 'right', least: 0.85 }];
  const exact = composition?.method === 'clora' && composition.mode === 'exact';
  return exact ? [{ figure: 'right', of: `${kind.name}: sum`, above: 0.2 }] : [];
}

function composeTrial(scene: ComposeScene, method: ComposeMethod, model: ComposeModel): Trial {
  const { characters, ground, style, styleAdapter } = scene;
  const composed = {
    characters: characters.map(({ kind }, look) => (characters.length > 1 ? { kind, look } : { kind })),
    ground,
    style,
    styleAdapter: styleAdapter !== null,
  };
  return {
    request: composeRequest(scene, method, model),
    caption: scene.prompt,
    looks: [[0, 0, 1, 1], ...(characters.length > 1 ? characters.map(({ look }) => look) : [])],
    mark: (seen) => composedMarks(composed, seen),
  };
}

/** The request that composes a scene by a method. */
export function composeRequest(scene: ComposeScene, method: ComposeMethod, model: ComposeModel): RenderRequestInput {
  const { characters, styleAdapter, surroundings } = scene;
  const { composition, boxes, alone, concepts } = method;
  const plain: RenderRequestInput = {
    model: model.folder,
    prompt: scene.prompt,
    seed: scene.seed,
    steps: 20,
    guidance: { scale: 4 },
    scheduler: { name: 'ddim' },
  };
  if (!composition) return plain;
  // The others read one prompt for all of the picture.
  const prompted = composition.method === 'regional' || composition.method === 'lora-composer';
  return {
    ...plain,
    ...(concepts ? { prompt: inClassNouns(scene) } : {}),
    composition,
    adapters: [
      ...characters.map(({ adapter, kind }) => ({
        path: adapterPath(model, adapter),
        ...(boxes ? { region: kind } : {}),
        ...(concepts ? { concept: kind } : {}),
      })),
      ...(styleAdapter === null ? [] : [{ path: adapterPath(model, styleAdapter) }]),
    ],
    ...(boxes
      ? {
          regions: characters.map(({ kind, word, noun, box }) => ({
            name: kind,
            box: box.map((share) => share * model.side) as [number, number, number, number],
            // Drawn in its place, a thing alone would stand in the middle of the picture, where the box would cut it: with company the prompt
            // says where. Drawn as the middle it is told alone.
            ...(prompted ? { prompt: characters.length > 1 && !alone ? scene.prompt : `${noun} ${surroundings}` } : {}),
            ...(composition.method === 'lora-composer' ? { words: word } : {}),
          })),
        }
      : {}),
    ...(concepts
      ? { concepts: characters.map(({ kind, noun, classNoun }) => ({ name: kind, words: classNoun, as: noun })) }
      : {}),
  };
}

/** The prompt as the base knows it: each concept's own run then has the trigger in place of its class noun alone. */
const inClassNouns = ({ prompt, characters }: ComposeScene): string =>
  characters.reduce((told, { noun, classNoun }) => told.replace(noun, classNoun), prompt);

const adapterNames = ({ characters, styleAdapter }: ComposeScene): string[] => [
  ...characters.map(({ adapter }) => adapter),
  ...(styleAdapter === null ? [] : [styleAdapter]),
];

const adapterPath = ({ folder }: ComposeModel, name: string): string => join(folder, 'adapters', `${name}.safetensors`);
