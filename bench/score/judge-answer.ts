import { z } from 'zod';

/** What `judge.json` says of the judge: the names behind the places of its outputs. */
export const JudgeDescription = z.object({
  kinds: z.array(z.string()).min(1),
  objects: z.array(z.string()).min(1),
  characters: z.array(z.string()),
  colours: z.array(z.string()).min(1),
  grounds: z.array(z.string()).min(1),
  styles: z.array(z.string()).min(1),
});
export type JudgeDescription = z.infer<typeof JudgeDescription>;

/** What the judge sees in one picture. */
export interface Answer {
  /** By kind; a kind that is not there is not in it. */
  things: Readonly<Record<string, 'one' | 'more'>>;
  /** Of every object that is there. */
  colours: Readonly<Record<string, string>>;
  ground: string;
  style: string;
  /** Characters that are there and not mixed with another's parts or colours. */
  unmixed: readonly string[];
}

/** The judge's outputs, logits, one row of each a picture. */
export interface JudgeOutputs {
  /** [n, kinds, 3]: none, one, more */
  counts: Float32Array;
  /** [n, objects, colours] */
  colours: Float32Array;
  /** [n, grounds] */
  grounds: Float32Array;
  /** [n, styles] */
  styles: Float32Array;
  /** [n, characters]; above 0: mixed */
  mixed: Float32Array;
}

/** Reads the outputs for `pictures` pictures as words, as `judge.json` describes. */
export function readAnswers(outputs: JudgeOutputs, description: JudgeDescription, pictures: number): Answer[] {
  const { kinds, objects, characters, colours, grounds, styles } = description;
  const best = (logits: Float32Array, row: number, names: readonly string[]) =>
    names[argmax(logits, row * names.length, names.length)] as string;
  return Array.from({ length: pictures }, (_, picture) => {
    const things: Record<string, 'one' | 'more'> = {};
    for (const [index, kind] of kinds.entries()) {
      const count = argmax(outputs.counts, (picture * kinds.length + index) * 3, 3);
      if (count > 0) things[kind] = count === 1 ? 'one' : 'more';
    }
    const there = objects.flatMap((name, index) => (name in things ? [{ name, index }] : []));
    return {
      things,
      colours: Object.fromEntries(
        there.map(({ name, index }) => [name, best(outputs.colours, picture * objects.length + index, colours)]),
      ),
      ground: best(outputs.grounds, picture, grounds),
      style: best(outputs.styles, picture, styles),
      unmixed: characters.filter(
        (name, index) => name in things && (outputs.mixed[picture * characters.length + index] as number) <= 0,
      ),
    };
  });
}

/** The first place of the greatest of `count` values from `start`, counted from there. */
function argmax(values: Float32Array, start: number, count: number): number {
  let best = 0;
  for (let at = 1; at < count; at++) {
    if ((values[start + at] as number) > (values[start + best] as number)) best = at;
  }
  return best;
}
