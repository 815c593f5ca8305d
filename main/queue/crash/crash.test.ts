import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../test-support.ts';
import { crashTest } from './crash-test.ts';

describe('killed at random moments', () => {
  it('loses no picture, draws none twice and tears none', { timeout: 600_000 }, async () => {
    // `npm run crash` does it 200 times, with another seed each time.
    const kills = Number(process.env.CRASH_KILLS ?? 40);
    const report = await crashTest({ home: temporaryFolder(), kills, seed: 20_261_123 });
    expect({ lost: report.lost, twice: report.twice, torn: report.torn }).toEqual({ lost: [], twice: [], torn: [] });
    expect(report.kills.engine + report.kills.server + report.kills.both).toBe(kills);
    expect(report.pictures).toBeGreaterThan(0);
    expect(report.pausedStarts).toBeGreaterThan(0);
  });
});
