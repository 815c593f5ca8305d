/**
 * Scores the demo model as Impasto draws it: a fixed list of prompts, judged by its own classifier.
 *
 *     npm run demo:score -- [--count N] [--only ROW]...
 */
import { resolve } from 'node:path';
import type { SheetRow } from './contact-sheet.ts';
import { demoRows } from './demo-rows.ts';
import { formatFigure } from './figures.ts';
import { Judge } from './judge.ts';
import { runCommand } from './run-command.ts';
import type { RowResult } from './score-row.ts';
import { runScore } from './score-run.ts';
import { vaeRoundTrips } from './vae-round-trip.ts';
import { verdictsOf } from './verdicts.ts';

const drawings = resolve(import.meta.dirname, '../../fixtures/drawings');
const roundTrip = 'VAE round trip';

await runCommand(async (flags) => {
  const judge = await Judge.open(flags.model);
  const run = {
    name: 'demo',
    rows: await demoRows(flags.model, judge.description.characters),
    figures: ['objects', 'colours', 'both', 'ground', 'style', 'true', 'psnr', 'unetRows', 'seconds'],
    measured: [{ name: roundTrip, measure: () => measureVae(flags.model, flags.provider) }],
  };
  return runScore(run, judge, flags);
});

async function measureVae(
  model: string,
  provider: Parameters<typeof vaeRoundTrips>[2],
): Promise<{ result: RowResult; sheet: SheetRow }> {
  const trips = await vaeRoundTrips(model, drawings, provider);
  const figures = { psnr: trips.reduce((sum, { psnr }) => sum + psnr, 0) / trips.length };
  const verdicts = verdictsOf(figures, [{ figure: 'psnr', least: 30 }], new Map());
  return {
    result: { name: roundTrip, pictures: trips.length, figures, verdicts },
    sheet: {
      label: `${roundTrip} · ${formatFigure('psnr', figures.psnr)} dB · each drawing, then what came back`,
      pictures: trips.flatMap(({ drawing, back, psnr }) => [
        { picture: drawing, caption: 'drawing', right: null },
        { picture: back, caption: `${formatFigure('psnr', psnr)} dB`, right: null },
      ]),
    },
  };
}
