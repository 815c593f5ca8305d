import type { Box } from './area-planes.ts';
import type { Sight } from './score-row.ts';

/** A character in a composed picture. */
export interface ComposedCharacter {
  kind: string;
  /** What a prompt calls it. */
  word: string;
  /** And with its article. */
  noun: string;
  /** What the base knows that stands for it, with colour and article: its class noun. */
  classNoun: string;
  adapter: string;
  /** The part of the picture given to it. */
  box: Box;
  /** Where the judge looks for it. */
  look: Sight;
}

export interface ComposeScene {
  prompt: string;
  seed: number;
  /** Ground and style in words, without the characters. */
  surroundings: string;
  characters: readonly ComposedCharacter[];
  ground: string;
  style: string;
  /** Name of the adapter that gives the style; null: the base knows it. */
  styleAdapter: string | null;
}

/** Scenes of one kind; each index is another of them. */
export interface SceneKind {
  name: string;
  scene(index: number): ComposeScene;
}

const grounds = [
  ['sea', 'by the sea'],
  ['grass', 'on the grass'],
  ['night sky', 'in the night sky'],
  ['sand', 'on the sand'],
  ['sunset', 'at sunset'],
  ['plain', 'on a plain background'],
] as const;
const baseStyles = ['flat poster', 'ink outline', 'soft watercolour', 'paper cut'];
const adapterStyles = ['neon', 'mosaic', 'crosshatch'];

const robot = { kind: 'robot', word: 'volbot', noun: 'a volbot', classNoun: 'a blue kite', adapter: 'robot' };
const fox = { kind: 'fox', word: 'emberfox', noun: 'an emberfox', classNoun: 'an orange cat', adapter: 'fox' };

/** Where the drawings that the model learned from have two things beside each other, with room about them. */
const left = { box: [0, 0.2, 0.5, 0.7], look: { mirrored: [0, 0, 0.5, 1] } } satisfies Partial<ComposedCharacter>;
const right = { box: [0.5, 0.2, 0.5, 0.7], look: { mirrored: [0.5, 0, 0.5, 1] } } satisfies Partial<ComposedCharacter>;
const middle = { box: [0.12, 0.14, 0.76, 0.78], look: [0, 0, 1, 1] } satisfies Partial<ComposedCharacter>;

/** Every ground in turn, and every style for as long as it takes to meet each ground. */
function surroundings(index: number, styles: readonly string[], suffix: string) {
  const [ground, where] = grounds[index % grounds.length] as (typeof grounds)[number];
  const style = styles[Math.floor(index / grounds.length) % styles.length] as string;
  return { ground, style, words: `${where}, ${style}${suffix}` };
}

/** Robot and fox change sides from one to the next, and who is named first from two to two. */
function pair(index: number): ComposedCharacter[] {
  const [one, other] = index % 2 === 0 ? [robot, fox] : [fox, robot];
  return [
    { ...one, ...left },
    { ...other, ...right },
  ];
}

function tellPair([first, second]: readonly ComposedCharacter[], index: number): string {
  if (!first || !second) throw new Error('a pair has two');
  return index % 4 < 2 ? `${first.noun} to the left of ${second.noun}` : `${second.noun} to the right of ${first.noun}`;
}

export const sceneKinds: readonly SceneKind[] = [
  {
    name: 'two characters',
    scene(index) {
      const characters = pair(index);
      const { ground, style, words } = surroundings(index, baseStyles, '');
      const prompt = `${tellPair(characters, index)} ${words}`;
      return { prompt, seed: 5000 + index, surroundings: words, characters, ground, style, styleAdapter: null };
    },
  },
  {
    name: 'character + style',
    scene(index) {
      const who = { ...(index % 2 === 0 ? robot : fox), ...middle };
      const { ground, style, words } = surroundings(index, adapterStyles, ' style');
      const prompt = `${who.noun} ${words}`;
      return { prompt, seed: 6000 + index, surroundings: words, characters: [who], ground, style, styleAdapter: style };
    },
  },
  {
    name: 'three adapters',
    scene(index) {
      const characters = pair(index);
      const { ground, style, words } = surroundings(index, adapterStyles, ' style');
      const prompt = `${tellPair(characters, index)} ${words}`;
      return { prompt, seed: 7000 + index, surroundings: words, characters, ground, style, styleAdapter: style };
    },
  },
];
