import { formatFigure } from './figures.ts';
import type { Bar, RowResult, Verdict } from './score-row.ts';

type Figures = RowResult['figures'];

/**
 * Whether figures reach their bars. A bar on another row that was not drawn does not hold.
 * @param others figures of the rows done, by name
 */
export function verdictsOf(figures: Figures, bars: readonly Bar[], others: ReadonlyMap<string, Figures>): Verdict[] {
  return bars.map((bar) => {
    const value = figures[bar.figure];
    const limit = limitOf(bar, others);
    if (value === undefined || limit === null) return { figure: bar.figure, bar: 'not known', holds: false };
    const { sign, at } = limit;
    const holds = sign === '≥' ? value >= at - rounding : value <= at + rounding;
    return { figure: bar.figure, bar: `${sign} ${formatFigure(bar.figure, at)}`, holds };
  });
}

/** Shares are sums of parts: 0.9 less 0.08 is not quite 0.82. */
const rounding = 1e-9;

function limitOf(bar: Bar, others: ReadonlyMap<string, Figures>): { sign: '≥' | '≤'; at: number } | null {
  if ('least' in bar) return { sign: '≥', at: bar.least };
  if ('most' in bar) return { sign: '≤', at: bar.most };
  const other = others.get(bar.of)?.[bar.figure];
  if (other === undefined) return null;
  if ('times' in bar) return { sign: '≤', at: other * bar.times };
  return { sign: '≥', at: 'above' in bar ? other + bar.above : other - bar.below };
}
