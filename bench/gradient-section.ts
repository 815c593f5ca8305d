import { measure } from './measure.ts';
import { gigabytes, type Row, seconds, times } from './results.ts';

interface Figures {
  seconds: number;
  /** Session, weights and features. */
  bytes: number;
  level: number;
}

/** What the gradient of attention maps costs against a plain row of the same UNet, on the built-in model. */
export function gradientSection(): Row[] {
  return ['32', '64'].flatMap((side) => {
    const [row, maps, gradient] = (['row', 'maps', 'gradient'] as const).map((kind) =>
      measure<Figures>('map-gradient.ts', ['demo', side, kind]),
    ) as [Figures, Figures, Figures];
    const against = (what: Figures) => `${seconds(what.seconds)} = ${times(what.seconds / row.seconds)}`;
    const size = `${side}x${side}`;
    return [
      {
        what: `one UNet row, latent of ${size}`,
        measured: `${seconds(row.seconds)}, ${gigabytes(row.bytes)}`,
        bar: '',
        holds: null,
      },
      { what: `as far as its attention maps (level ${maps.level})`, measured: against(maps), bar: '', holds: null },
      {
        what: 'maps and their gradient to the latent',
        measured: `${against(gradient)}, ${gigabytes(gradient.bytes)}`,
        bar: 'about 4x a row (methods.md)',
        holds: gradient.seconds / row.seconds <= 4,
      },
    ];
  });
}
