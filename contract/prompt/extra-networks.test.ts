import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extractExtraNetworks } from './extra-networks.ts';

const loras = (source: string) =>
  extractExtraNetworks(source).loras.map(({ name, textStrength, unetStrength }) => [name, textStrength, unetStrength]);

describe('LoRA tags', () => {
  it.each<[string, [string, number, number][]]>([
    ['<lora:ink:0.8>', [['ink', 0.8, 0.8]]],
    ['<lora:ink>', [['ink', 1, 1]]],
    ['<lora:ink:0.5:0.9>', [['ink', 0.5, 0.9]]],
    ['<lora:ink:-1>', [['ink', -1, -1]]],
    ['<lora:ink:0>', [['ink', 0, 0]]],
    ['<lora:ink:.5>', [['ink', 0.5, 0.5]]],
    ['<lora: My Style v1.2 : 0.5 >', [['My Style v1.2', 0.5, 0.5]]],
    ['<lyco:ink:1>', [['ink', 1, 1]]],
    ['<LoRA:ink:1>', [['ink', 1, 1]]],
    ['<lora:ink:unet=0.3>', [['ink', 1, 0.3]]],
    ['<lora:ink:te=0.2:unet=0.3>', [['ink', 0.2, 0.3]]],
    ['<lora:ink:0.2:unet=0.3>', [['ink', 0.2, 0.3]]],
    [
      'a <lora:x:1> b <lora:y:0.5>',
      [
        ['x', 1, 1],
        ['y', 0.5, 0.5],
      ],
    ],
  ])('%s', (source, expected) => {
    expect(loras(source)).toEqual(expected);
    expect(extractExtraNetworks(source).warnings).toEqual([]);
  });

  it('are taken out of the text, and their place is told', () => {
    const source = 'a cat <lora:ink:0.8>, night<lora:b:1>';
    const { text, loras: found } = extractExtraNetworks(source);
    expect(text).toBe('a cat , night');
    expect(found.map(({ start, end }) => source.slice(start, end))).toEqual(['<lora:ink:0.8>', '<lora:b:1>']);
  });

  it.each([
    ['a <lora:> b', 'LORA_TAG_MALFORMED', 'a  b'],
    ['a <lora::1> b', 'LORA_TAG_MALFORMED', 'a  b'],
    ['a <lora:x:strong> b', 'LORA_TAG_MALFORMED', 'a  b'],
    ['a <lora:x:> b', 'LORA_TAG_MALFORMED', 'a  b'],
    ['a <lora:x:1:2:3> b', 'LORA_TAG_MALFORMED', 'a  b'],
    ['a <lora:x:1:te=2> b', 'LORA_TAG_MALFORMED', 'a  b'],
    [`a <lora:x:${'9'.repeat(400)}> b`, 'LORA_TAG_MALFORMED', 'a  b'],
    ['a <hypernet:x:1> b', 'HYPERNETWORK_UNSUPPORTED', 'a  b'],
    ['a <lora:x:1 b', 'LORA_TAG_UNCLOSED', 'a <lora:x:1 b'],
  ])('%s is reported', (source, code, text) => {
    const extracted = extractExtraNetworks(source);
    expect(extracted.loras).toEqual([]);
    expect(extracted.text).toBe(text);
    expect(extracted.warnings.map((warning) => warning.code)).toEqual([code]);
    expect(extracted.warnings[0]?.message.length).toBeLessThan(200);
    expect(source.slice(extracted.warnings[0]?.start)).toMatch(/^<(lora|hypernet):/);
  });

  it('finds the tag after one that was never closed', () => {
    const { loras: found, warnings, text } = extractExtraNetworks('<lora:a:1 <lora:b:2>');
    expect(found.map(({ name }) => name)).toEqual(['b']);
    expect(warnings).toHaveLength(1);
    expect(text).toBe('<lora:a:1 ');
  });

  it('leaves other angle brackets alone', () => {
    for (const source of ['a <cat-toy> b', '<3', 'a < b > c', '<b:1>', '<<>>', '<lora>']) {
      expect(extractExtraNetworks(source)).toEqual({ text: source, loras: [], warnings: [] });
    }
  });

  it('never throws; text and tags together are the source', () => {
    const source = fc.array(
      fc.constantFrom('<lora:', '<lyco:', '<', '>', ':', 'a', '0.5', ' ', 'te=', 'unet=', '<hypernet:', '桜'),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(source, (parts) => {
        const written = parts.join('');
        const { text, loras: found, warnings } = extractExtraNetworks(written);
        const cut = [...found, ...warnings.filter(({ code }) => code !== 'LORA_TAG_UNCLOSED')].sort(
          (a, b) => a.start - b.start,
        );
        let rest = '';
        let from = 0;
        for (const { start, end } of cut) {
          expect(start).toBeGreaterThanOrEqual(from);
          rest += written.slice(from, start);
          from = end;
        }
        expect(text).toBe(rest + written.slice(from));
        for (const { textStrength, unetStrength } of found)
          expect(Number.isFinite(textStrength + unetStrength)).toBe(true);
      }),
    );
  });

  it('reads a prompt of nothing but tags', () => {
    expect(extractExtraNetworks('<lora:a:1>'.repeat(2_000)).loras).toHaveLength(2_000);
    expect(extractExtraNetworks('<lora:'.repeat(3_300)).warnings).toHaveLength(3_300);
    expect(extractExtraNetworks('<'.repeat(20_000)).warnings).toEqual([]);
  });
});
