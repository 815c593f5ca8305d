/**
 * Scores styles through masks, on the demo model and by its judge.
 *
 *     npm run style:score -- [--count N] [--only ROW]...
 */
import { join, resolve } from 'node:path';
import { openCheckpoint } from '../../models/checkpoint/open.ts';
import { Judge } from './judge.ts';
import { runCommand } from './run-command.ts';
import { runScore } from './score-run.ts';
import { styleRows } from './style-rows.ts';
import { styleScenes } from './style-scenes.ts';

const drawings = resolve(import.meta.dirname, '../../fixtures/drawings');

await runCommand(async (flags) => {
  const { unet, vae } = await openCheckpoint(flags.model);
  const factor = 2 ** ((vae.decoder?.config.blockOutChannels.length ?? 1) - 1);
  const side = unet.config.sampleSize * factor;
  const scenes = await styleScenes(drawings, join(flags.out, 'contents'), side);
  const run = {
    name: 'style',
    rows: styleRows(scenes, { folder: flags.model, side }),
    figures: ['style', 'object', 'colour', 'psnr', 'ssim', 'unetRows', 'seconds'],
    right: ['style', 'object'],
  };
  return runScore(run, await Judge.open(flags.model), flags);
});
