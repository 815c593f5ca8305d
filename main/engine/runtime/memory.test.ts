import { describe, expect, it } from 'vitest';
import { assertFits, estimateJob, type JobSize, memoryBudget, vaeActivations } from './memory.ts';

/** Stable Diffusion 1.5 in fp32. */
const sd15: JobSize = {
  unetBytes: 3.44e9,
  vaeBytes: 0.2e9,
  textBytes: 0.49e9,
  width: 512,
  height: 512,
  rows: 1,
};

describe('estimateJob', () => {
  it.each([
    // Picture, beside the weights: what the process was seen to take for the UNet and for decoding, MB.
    [256, 65, 270],
    [512, 155, 1066],
  ])('at %i holds what was measured, and not twice as much', (side, unet, decode) => {
    const { stages } = estimateJob({ ...sd15, width: side, height: side });
    const [, sample, vae] = stages.map(({ activations }) => activations / 1e6);
    expect(sample).toBeGreaterThan(unet);
    expect(sample).toBeLessThan(2 * unet);
    expect(vae).toBeGreaterThan(decode);
    expect(vae).toBeLessThan(2 * decode);
  });

  it('peaks in the VAE where the picture is large, and in the UNet again where the VAE works in tiles', () => {
    const large = { ...sd15, width: 2048, height: 2048 };
    expect(estimateJob(large).peak.stage).toBe('decode');
    expect(estimateJob({ ...large, vaeTile: 512 }).peak.stage).toBe('sample');
    expect(vaeActivations({ width: 2048, height: 512, vaeTile: 512 })).toBe(
      vaeActivations({ width: 512, height: 512 }),
    );
  });

  it('adds the logits of plain attention, less for chunks of queries, and more for rows', () => {
    const activations = (more: Partial<JobSize>) => estimateJob({ ...sd15, ...more }).stages[1]?.activations ?? 0;
    const logits = activations({ fusedAttention: false }) - activations({});
    // 8 heads of 4096 x 4096 logits and as many weights, fp32.
    expect(logits).toBe(2 * 8 * 4096 * 4096 * 4);
    expect(activations({ fusedAttention: false, queryChunks: 8 }) - activations({})).toBe(logits / 8);
    expect(activations({ rows: 3 }) - activations({ rows: 2 })).toBe(activations({ rows: 2 }) - activations({}));
  });
});

describe('assertFits', () => {
  it('lets pass what fits and refuses the rest with numbers', () => {
    const estimate = estimateJob(sd15);
    expect(() => assertFits(estimate, sd15, estimate.bytes)).not.toThrow();
    expect(() => assertFits(estimate, sd15, 2e9)).toThrow(
      /^A picture of 512 x 512 needs about 3\.9 GB and 2 GB may be used: 3\.4 GB for the weights of the UNet and/,
    );
  });

  it('advises tiles where the VAE is what does not fit', () => {
    const large = { ...sd15, width: 4096, height: 4096 };
    try {
      assertFits(estimateJob(large), large, 8e9);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', remedy: expect.stringContaining('tiled VAE') });
    }
  });
});

describe('memoryBudget', () => {
  it('leaves a share to the machine, never goes below zero and counts what can be released', () => {
    expect(memoryBudget(16e9)).toBe(14.4e9);
    expect(memoryBudget(2e9)).toBe(2e9 - 512e6);
    expect(memoryBudget(100e6)).toBe(0);
    expect(memoryBudget(2e9, 1e9)).toBe(3e9 - 512e6);
  });
});
