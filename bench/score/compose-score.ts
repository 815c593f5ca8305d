/**
 * Scores the ways to compose adapters, on the demo model and by its judge.
 *
 *     npm run compose:score -- [--count N] [--only ROW]...
 */
import { openCheckpoint } from '../../models/checkpoint/open.ts';
import { composeRows } from './compose-rows.ts';
import { Judge } from './judge.ts';
import { runCommand } from './run-command.ts';
import { runScore } from './score-run.ts';

/** Pictures a row. */
const seeds = 100;

await runCommand(async (flags) => {
  const { unet, vae } = await openCheckpoint(flags.model);
  const factor = 2 ** ((vae.decoder?.config.blockOutChannels.length ?? 1) - 1);
  const model = { folder: flags.model, side: unet.config.sampleSize * factor };
  const run = {
    name: 'compose',
    rows: composeRows(model, flags.count ?? seeds),
    figures: [
      ...['present', 'once', 'unmixed', 'right', 'placed', 'ground', 'style'],
      ...['lossBefore', 'lossAfter', 'maskOverlap', 'unetRows', 'seconds'],
    ],
    right: ['right'],
  };
  return runScore(run, await Judge.open(flags.model), flags);
});
