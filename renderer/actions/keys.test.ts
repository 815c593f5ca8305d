import { describe, expect, it } from 'vitest';
import { keyCaps, keyName } from './keys.ts';

const press = (key: string, change: Partial<KeyboardEvent> = {}) =>
  keyName({ key, code: '', ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...change });

describe('keys', () => {
  it('are named by their modifiers in one order, letters large', () => {
    expect(press('Enter', { ctrlKey: true, shiftKey: true })).toBe('Ctrl+Shift+Enter');
    expect(press('Enter', { metaKey: true })).toBe('Ctrl+Enter');
    expect(press('b')).toBe('B');
    expect(press('V', { shiftKey: true })).toBe('Shift+V');
    expect(press('?', { shiftKey: true })).toBe('Shift+?');
    expect(press('[')).toBe('[');
    expect(press('Shift', { shiftKey: true })).toBeNull();
  });

  it('are shown as caps', () => {
    expect(keyCaps('Ctrl+Shift+Enter', false)).toEqual(['Ctrl', 'Shift', 'Enter']);
    expect(keyCaps('Ctrl+Enter', true)).toEqual(['⌘', 'Enter']);
    expect(keyCaps('+', false)).toEqual(['+']);
    expect(keyCaps('ArrowLeft', false)).toEqual(['←']);
  });
});
