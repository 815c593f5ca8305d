import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RenderSummary } from '../../../contract/engine.ts';
import { parseRequest } from '../../../contract/parse.ts';
import { RenderRequest, type RenderRequestInput, SigmaSchedule, schedulerNames } from '../../../contract/request.ts';
import { fromA1111Sampler, fromA1111Schedule, toA1111Sampler, toA1111Schedule } from './a1111-samplers.ts';
import { writeInfotext } from './infotext.ts';
import { parseInfotext } from './parse-infotext.ts';
import { softwareName } from './software.ts';

function summary(request: RenderRequestInput, rest: Partial<RenderSummary> = {}): RenderSummary {
  return {
    request: RenderRequest.parse(request),
    provider: { provider: 'cpu', reason: 'test' },
    unetRows: 0,
    sessionsBuilt: 0,
    warnings: [],
    timings: {},
    modelName: 'model.safetensors',
    ...rest,
  };
}
const image = { seed: 7, width: 512, height: 768 };

describe('writeInfotext', () => {
  it('writes the lines and keys in A1111’s order', () => {
    const text = writeInfotext(
      summary(
        {
          prompt: 'a red star,\non blue',
          negativePrompt: 'blurry',
          steps: 30,
          scheduler: { name: 'dpmpp-2m', sigmas: 'karras' },
          guidance: { scale: 6.5 },
          clipSkip: 2,
          noise: 'cuda',
          init: { path: '/x/y.png', strength: 0.4 },
          vae: { path: '/models/kl-f8.safetensors' },
        },
        { modelName: 'deep: dream, v2.safetensors', modelHash: '0123456789' },
      ),
      image,
    );
    expect(text).toBe(
      'a red star,\non blue\nNegative prompt: blurry\n' +
        'Steps: 30, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 7, Size: 512x768, ' +
        'Model hash: 0123456789, Model: "deep: dream, v2", VAE: kl-f8.safetensors, Denoising strength: 0.4, ' +
        `Clip skip: 2, RNG: NV, Version: ${softwareName}`,
    );
  });

  it('leaves out what is not set', () => {
    const text = writeInfotext(summary({ prompt: 'x' }), image);
    expect(text).toBe(
      'x\nSteps: 20, Sampler: DDIM, Schedule type: Automatic, CFG scale: 7.5, Seed: 7, Size: 512x768, ' +
        `Model: model, RNG: CPU, Version: ${softwareName}`,
    );
  });
});

describe('adapters', () => {
  const ink = { path: '/loras/Ink, wash.safetensors', strength: 0.8 };
  const request = {
    prompt: 'a castle',
    adapters: [
      ink,
      { path: 'C:\\loras\\glow.safetensors', strength: 1, textStrength: 0.5 },
      { path: '/loras/sky.safetensors', region: 'sky' },
      { path: '/loras/lost.safetensors', strength: -1 },
    ],
    regions: [{ name: 'sky', box: [0, 0, 8, 8] as [number, number, number, number] }],
  };

  it('are written as A1111 writes them, and read back by name and hash', () => {
    const hashes = ['0123456789ab', 'ba9876543210', '111111111111', undefined];
    const text = writeInfotext(summary(request, { adapterHashes: hashes }), image);
    expect(text.split('\n')[0]).toBe('a castle <lora:Ink wash:0.8> <lora:glow:0.5:1> <lora:lost:-1>');
    expect(text).toContain(
      `RNG: CPU, Lora hashes: "Ink wash: 0123456789ab, glow: ba9876543210", Version: ${softwareName}`,
    );
    const parsed = parseInfotext(text);
    expect(parsed?.adapterHashes).toEqual(
      new Map([
        ['Ink wash', '0123456789ab'],
        ['glow', 'ba9876543210'],
      ]),
    );
    expect(parsed?.unmapped).toEqual([]);
  });

  it('are known by Civitai’s list of hashes too, but A1111’s own counts more', () => {
    const parsed = parseInfotext(
      'x <lora:a:1>\nSteps: 20, Sampler: Euler, Seed: 1, Hashes: {"model": "aabbccddee", "lora:a": "1111111111", "lora:b": "2222222222"}, ' +
        'Lora hashes: "a: 333333333333, : 444444444444, c: no"',
    );
    expect(parsed?.adapterHashes).toEqual(
      new Map([
        ['a', '333333333333'],
        ['b', '2222222222'],
      ]),
    );
    expect(parsed?.model.hash).toBe('aabbccddee');
    expect(parsed?.unmapped).toEqual([]);
  });
});

describe('sampler names', () => {
  it('go to A1111 and back, with every noise schedule', () => {
    for (const name of schedulerNames) {
      expect(fromA1111Sampler(toA1111Sampler(name))).toEqual({ name });
      for (const sigmas of SigmaSchedule.options) {
        expect(fromA1111Schedule(toA1111Schedule(name, sigmas), name), `${name} ${sigmas}`).toBe(sigmas);
      }
    }
  });

  it('are read as older versions and other tools write them', () => {
    expect(fromA1111Sampler('DPM++ 2M Karras')).toEqual({ name: 'dpmpp-2m', sigmas: 'karras' });
    expect(fromA1111Sampler('DPM++ 2M SDE Exponential')).toEqual({ name: 'dpmpp-2m-sde', sigmas: 'exponential' });
    expect(fromA1111Sampler('Euler SGMUniform')).toEqual({ name: 'euler', sigmas: 'sgm-uniform' });
    expect(fromA1111Sampler('euler_ancestral')).toEqual({ name: 'euler-a' });
    expect(fromA1111Sampler('dpmpp_2m_sde')).toEqual({ name: 'dpmpp-2m-sde' });
    expect(fromA1111Sampler('DPM++ 3M SDE')).toBeUndefined();
    expect(fromA1111Sampler('constructor')).toBeUndefined();
  });

  it('know which schedule A1111 chooses by itself', () => {
    expect(fromA1111Schedule('Automatic', 'dpmpp-2m')).toBe('karras');
    expect(fromA1111Schedule('Automatic', 'dpmpp-2m-sde')).toBe('exponential');
    expect(fromA1111Schedule('Automatic', 'euler-a')).toBe('default');
    expect(fromA1111Schedule('Align Your Steps', 'euler')).toBeUndefined();
  });
});

describe('parseInfotext', () => {
  it('takes over every setting that A1111 and Impasto share', () => {
    const parsed = parseInfotext(
      'castle on a hill, (sunset:1.2)\nsecond line\nNegative prompt: fog,\nrain\n' +
        'Steps: 28, Sampler: DPM++ 2M SDE, Schedule type: SGM Uniform, CFG scale: 5.5, Seed: 1234567890, Size: 832x1216, ' +
        'Model hash: 67AB2FD8EC, Model: "name, with: signs", Clip skip: 2, RNG: CPU, Noise Schedule: Zero Terminal SNR, Version: v1.10.1',
    );
    expect(parsed).toEqual({
      request: {
        prompt: 'castle on a hill, (sunset:1.2)\nsecond line',
        negativePrompt: 'fog,\nrain',
        steps: 28,
        seed: 1234567890,
        guidance: { scale: 5.5 },
        width: 832,
        height: 1216,
        clipSkip: 2,
        noise: 'cpu',
        scheduler: { name: 'dpmpp-2m-sde', sigmas: 'sgm-uniform', rescaleBetasZeroSnr: true },
      },
      model: { name: 'name, with: signs', hash: '67ab2fd8ec' },
      adapterHashes: new Map(),
      unmapped: [],
    });
  });

  it('knows that A1111 draws noise on the GPU where it names no generator', () => {
    expect(
      parseInfotext('x\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512')?.request,
    ).toMatchObject({
      noise: 'cuda',
      scheduler: { name: 'euler-a' },
    });
  });

  it('lets an older name’s schedule count', () => {
    const parsed = parseInfotext('x\nSteps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 1');
    expect(parsed?.request.scheduler).toEqual({ name: 'dpmpp-2m', sigmas: 'karras' });
  });

  it('lists whatever it cannot take over', () => {
    const parsed = parseInfotext(
      'x\nSteps: 20, Sampler: DPM adaptive, Schedule type: Beta, CFG scale: 7, Seed: -1, Size: 513x512, ' +
        'Denoising strength: 0.5, Clip skip: 99, Hires upscale: 2, ENSD: 31337, RNG: XPU, Eta: 0.5, VAE: a.pt, ' +
        'TI hashes: "one: 123, two: 456", Hashes: {"model": "ab, c", "vae": "0123456789"}, Version: v1.9.0',
    );
    expect(parsed?.request).toEqual({ prompt: 'x', negativePrompt: '', steps: 20, guidance: { scale: 7 } });
    expect(parsed?.unmapped.map((line) => line.split(':')[0])).toEqual([
      'Sampler',
      'Schedule type',
      'Seed',
      'Size',
      'Denoising strength',
      'Clip skip',
      'Hires upscale',
      'ENSD',
      'RNG',
      'Eta',
      'VAE',
      'TI hashes',
      'Hashes',
    ]);
    expect(parsed?.unmapped.at(-1)).toBe(
      'Hashes: {"model": "ab, c", "vae": "0123456789"} (model, vae cannot be looked for by hash)',
    );
    expect(parsed?.unmapped).toContain('TI hashes: one: 123, two: 456');
  });

  it('finds the settings before lines that other tools append, and says that it skipped those', () => {
    const parsed = parseInfotext('x\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 3\nTemplate: {a|b}');
    expect(parsed?.request.seed).toBe(3);
    expect(parsed?.unmapped).toEqual([expect.stringContaining('Template: {a|b}')]);
  });

  it('takes a text without three pairs for no settings', () => {
    for (const text of ['', 'just a prompt', 'a: b', 'prompt\nSteps: 20, Seed: 1', '{"workflow": [1, 2, 3]}']) {
      expect(parseInfotext(text), text).toBeUndefined();
    }
  });

  it('reads back what it writes', () => {
    // Prompts as A1111 keeps them: lines trimmed, no line of which looks like its own marks.
    const words = fc.stringMatching(/^[a-z(<[][a-z0-9 ,.:()<>[\]"'\\{}|_-]{0,60}[a-z)>\]]$/);
    const prompt = fc.array(words, { minLength: 0, maxLength: 3 }).map((lines) => lines.join('\n'));
    fc.assert(
      fc.property(
        prompt,
        prompt,
        fc.constantFrom(...schedulerNames),
        fc.constantFrom(...SigmaSchedule.options),
        fc.nat(),
        fc.integer({ min: 1, max: 12 }),
        (positive, negativePrompt, name, sigmas, seed, clipSkip) => {
          const request = {
            prompt: positive,
            negativePrompt,
            scheduler: { name, sigmas },
            clipSkip,
            noise: 'cuda' as const,
          };
          const parsed = parseInfotext(writeInfotext(summary(request), { ...image, seed }));
          expect(parsed?.unmapped).toEqual([]);
          expect(parseRequest(parsed?.request)).toEqual(
            RenderRequest.parse({ ...request, seed, width: 512, height: 768 }),
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  it('never throws and never gives a value that a request refuses', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'Steps: ',
        'Seed: ',
        'Size: ',
        'CFG scale: ',
        ', ',
        ': ',
        '"',
        '{',
        '[',
        '\n',
        '\\',
        'Negative prompt:',
      ),
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.integer().map(String),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const parsed = parseInfotext(pieces.join(''));
        if (parsed) expect(() => parseRequest(parsed.request)).not.toThrow();
      }),
      { numRuns: 1000 },
    );
  });

  it('gets through a hostile megabyte', () => {
    for (const piece of ['a', 'a:', ',[a:', '{"', ', a: "', ' ', '\n', 'Steps: 1, ']) {
      const parsed = parseInfotext(piece.repeat(1_000_000 / piece.length));
      expect(parsed === undefined || parsed.unmapped.length <= 1002).toBe(true);
    }
  });
});
