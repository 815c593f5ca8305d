import type { Answer } from './judge-answer.ts';
import type { Marks } from './scene-marks.ts';

export interface ComposedScene {
  /** Characters asked for; where it matters, each with the look at the part of the picture that is to hold it. */
  characters: readonly { kind: string; look?: number }[];
  ground: string;
  style: string;
  /** The style comes from an adapter: a picture without it is not right. */
  styleAdapter: boolean;
}

/**
 * What of a composed picture is right. `present`: every character is there; `once`: and no second of it; `unmixed`: and
 * none has another's parts or colours; `right`: all of these, and the style where an adapter gives it; `placed`: each is
 * in the part of the picture that was asked for, and no other is.
 * @param seen the whole picture, then its parts
 */
export function composedMarks(scene: ComposedScene, seen: readonly Answer[]): Marks {
  const [whole, ...parts] = seen;
  if (!whole) throw new Error('nothing was looked at');
  const kinds = scene.characters.map(({ kind }) => kind);
  const once = kinds.every((kind) => whole.things[kind] === 'one');
  const unmixed = kinds.every((kind) => whole.unmixed.includes(kind));
  const style = whole.style === scene.style;
  const placed = scene.characters.every(({ kind, look }) => {
    const part = look === undefined ? undefined : parts[look];
    return part === undefined || kinds.every((other) => other in part.things === (other === kind));
  });
  const isPlaced = scene.characters.some(({ look }) => look !== undefined);
  return {
    present: kinds.every((kind) => kind in whole.things),
    once,
    unmixed,
    right: once && unmixed && (style || !scene.styleAdapter),
    ...(isPlaced ? { placed } : {}),
    ground: whole.ground === scene.ground,
    style,
  };
}
