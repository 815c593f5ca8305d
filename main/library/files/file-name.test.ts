import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { safeFileName, truncateToBytes } from './file-name.ts';

describe('safeFileName', () => {
  it.each([
    ['a red star', 'a red star'],
    ['../../etc/passwd', 'etc-passwd'],
    ['..\\..\\boot.ini', 'boot.ini'],
    ['C:\\Windows', 'C-Windows'],
    ['CON', '_CON'],
    ['com1.png', '_com1.png'],
    ['LPT\u00b9', '_LPT\u00b9'],
    ['aux .x', '_aux .x'],
    ['console', 'console'],
    ['name. . .', 'name'],
    ['.hidden', 'hidden'],
    ['-rf', 'rf'],
    ['a<b>c:"d"|e?f*g', 'a-b-c-d-e-f-g'],
    ['tab\tnew\nline\0nul', 'tab-new-line-nul'],
    ['gnp\u202Eexe', 'gnp-exe'],
    ['cafe\u0301', 'caf\u00e9'],
    ['\ud800broken', 'broken'],
    ['星と猫', '星と猫'],
    ['', 'picture'],
    ['///', 'picture'],
    ['. .', 'picture'],
  ])('%j becomes %j', (text, expected) => {
    expect(safeFileName(text)).toBe(expected);
  });

  it('cuts between characters as they are seen, under 180 bytes', () => {
    expect(safeFileName('x'.repeat(500))).toHaveLength(180);
    const flags = safeFileName('🇩🇪'.repeat(100));
    expect(Buffer.byteLength(flags)).toBeLessThanOrEqual(180);
    expect(flags).toBe('🇩🇪'.repeat(22));
  });

  it('is safe and stable for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.string()), (text) => {
        const name = safeFileName(text);
        expect(name).not.toBe('');
        expect(name).not.toMatch(/[<>:"/\\|?*\p{Cc}\p{Cs}]|^[.\s-]|[.\s-]$/u);
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(181);
        expect(name.normalize('NFC')).toBe(name);
        expect(safeFileName(name).replace(/^_/, '')).toBe(name.replace(/^_/, ''));
      }),
      { numRuns: 500 },
    );
  });
});

describe('truncateToBytes', () => {
  it('keeps what fits and never half a character', () => {
    expect(truncateToBytes('abc', 3)).toBe('abc');
    expect(truncateToBytes('aé', 2)).toBe('a');
    expect(truncateToBytes('👨‍👩‍👧x', 10)).toBe('');
  });
});
