import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ImpastoError } from '../../contract/errors.ts';
import { type RenderRequestInput, SchedulerName } from '../../contract/request.ts';
import { sceneMarks } from './scene-marks.ts';
import type { Bar, ScoreRow, Trial } from './score-row.ts';

const share = z.number().min(0).max(1);
const shares = z.record(z.string(), share).default({});

const Prompt = z.strictObject({
  prompt: z.string(),
  seed: z.number().int().min(0),
  things: z.record(z.string(), z.string()),
  ground: z.string(),
  style: z.string(),
});

const Settings = z.strictObject({
  steps: z.number().int().min(1),
  guidance: z.number().min(0),
  scheduler: SchedulerName,
  negative: z.string(),
});

const Row = z.strictObject({
  name: z.string().min(1),
  adapter: z.string().optional(),
  ...Settings.partial().shape,
  /** Least shares. */
  reach: shares,
  /** Greatest shares. */
  most: shares,
  /** How far shares may lie below those of the first row. */
  within: shares,
  /** Greatest number of UNet rows, as a share of the first row's. */
  unetRows: share.optional(),
  prompts: z.array(Prompt).min(1),
});

/** `models/demo/score.json`: the fixed prompts by which the demo model is scored. */
const ScoreList = z.strictObject({ about: z.string(), settings: Settings, rows: z.array(Row).min(1) });

/**
 * The rows of the demo model's fixed list.
 * @param folder the model's, with `score.json` in it; adapters are named relative to it
 * @param characters kinds that are no objects
 * @throws ImpastoError `CONFIG_INVALID`
 */
export async function demoRows(folder: string, characters: readonly string[]): Promise<ScoreRow[]> {
  const path = join(folder, 'score.json');
  let list: z.infer<typeof ScoreList>;
  try {
    list = ScoreList.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw new ImpastoError('CONFIG_INVALID', `${path} is not a list of prompts.`, 'Run score.py prompts.', { cause });
  }
  const first = (list.rows[0] as z.infer<typeof Row>).name;
  return list.rows.map((row) => {
    const { steps, guidance, scheduler, negative } = { ...list.settings, ...row };
    const adapter = row.adapter === undefined ? undefined : join(folder, row.adapter);
    const trials = row.prompts.map(({ prompt, seed, ...asked }): Trial => {
      const request: RenderRequestInput = {
        model: folder,
        prompt,
        negativePrompt: negative,
        seed,
        steps,
        guidance: { scale: guidance },
        scheduler: { name: scheduler },
        ...(adapter === undefined ? {} : { adapters: [{ path: adapter }] }),
      };
      return { request, caption: prompt, mark: ([seen]) => (seen ? sceneMarks(asked, seen, characters) : {}) };
    });
    const bars: Bar[] = [
      ...figures(row.reach).map(([figure, least]) => ({ figure, least })),
      ...figures(row.most).map(([figure, most]) => ({ figure, most })),
      ...figures(row.within).map(([figure, below]) => ({ figure, of: first, below })),
      ...(row.unetRows === undefined ? [] : [{ figure: 'unetRows', of: first, times: row.unetRows }]),
    ];
    return { name: row.name, trials, bars, ...(adapter === undefined ? {} : { needs: [adapter] }) };
  });
}

/** In the list's words `colours` alone asks for the object too: a colour is read off a thing that is there. */
const figures = (bars: Record<string, number>): [string, number][] => Object.entries(bars);
