import type { Answer } from './judge-answer.ts';

/** What a picture is to show. */
export interface Asked {
  /** Colour by kind; '' for a character, which has its own. */
  things: Readonly<Record<string, string>>;
  ground: string;
  style: string;
}

/** What of one picture is right, by name. */
export type Marks = Readonly<Record<string, boolean>>;

/**
 * What of a scene is right, of what was asked. `objects`: every asked object is there, once; `colours`: it is there and in its colour, of
 * each; `both`: one and the other; `true`: an asked character is there, once, and not mixed.
 * @param characters kinds that are no objects
 */
export function sceneMarks(asked: Asked, seen: Answer, characters: readonly string[]): Marks {
  const kinds = Object.keys(asked.things);
  const objects = Object.entries(asked.things).filter(([kind]) => !characters.includes(kind));
  const there = objects.every(([kind]) => seen.things[kind] === 'one');
  const coloured = objects.every(([kind, colour]) => seen.colours[kind] === colour);
  return {
    ...(objects.length > 0 ? { objects: there, colours: coloured, both: there && coloured } : {}),
    ground: seen.ground === asked.ground,
    style: seen.style === asked.style,
    ...(kinds.length > objects.length
      ? { true: kinds.some((kind) => seen.unmixed.includes(kind) && seen.things[kind] === 'one') }
      : {}),
  };
}
