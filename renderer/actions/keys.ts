/** Keys as they are written in settings: `Ctrl+Shift+Enter`, `Shift+?`, `[`. Ctrl is Command on a Mac. */
export type KeyName = string;

type Press = Pick<KeyboardEvent, 'key' | 'code' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey'>;

const modifiers = new Set(['Control', 'Meta', 'Shift', 'Alt', 'AltGraph', 'CapsLock', 'Dead', 'Process']);

/** The name of what was pressed; null for a modifier by itself. */
export function keyName(press: Press): KeyName | null {
  if (modifiers.has(press.key)) return null;
  const key = press.key === ' ' ? 'Space' : press.key.length === 1 ? press.key.toUpperCase() : press.key;
  const parts = [];
  if (press.ctrlKey || press.metaKey) parts.push('Ctrl');
  if (press.altKey) parts.push('Alt');
  if (press.shiftKey) parts.push('Shift');
  return [...parts, key].join('+');
}

const signs: Record<string, string> = {
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
  Escape: 'Esc',
  Backspace: '⌫',
};

/** A key's parts as they are shown on caps. */
export function keyCaps(key: KeyName, mac = isMac): string[] {
  const parts = key === '+' ? ['+'] : key.replace(/\+\+$/, '+Plus').split('+');
  return parts.map((part) => {
    if (mac && part === 'Ctrl') return '⌘';
    if (part === 'Plus') return '+';
    return signs[part] ?? part;
  });
}

const isMac = globalThis.navigator !== undefined && /Mac/.test(globalThis.navigator.userAgent);

/** Whether plain keys belong to what has the focus: they are typed there. */
export function typesInto(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) {
    return true;
  }
  return target instanceof HTMLInputElement && !['checkbox', 'radio', 'range', 'button'].includes(target.type);
}

/** Whether arrows belong to what has the focus. */
export function movesInside(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest(
      '[role=slider],[role=tablist],[role=radiogroup],[role=listbox],[role=menu],[role=grid],[role=list]',
    ) !== null
  );
}
