import { beforeEach, describe, expect, it } from 'vitest';
import { record, recordTogether, redo, undo, useHistory } from './history.ts';

let value = 0;
function set(next: number, key?: string, at = 0): void {
  const before = value;
  value = next;
  const put = (to: number) => () => {
    value = to;
  };
  const change = { label: 'value', undo: put(before), redo: put(next) };
  record(key === undefined ? change : { ...change, key }, at);
}

describe('history', () => {
  beforeEach(() => {
    value = 0;
    useHistory.setState({ past: [], future: [] });
  });

  it('takes back and does again, in order', () => {
    set(1);
    set(2);
    undo();
    expect(value).toBe(1);
    undo();
    expect(value).toBe(0);
    undo();
    expect(value).toBe(0);
    redo();
    redo();
    expect(value).toBe(2);
  });

  it('takes typing back as one, until there is a pause or another field', () => {
    set(1, 'prompt', 0);
    set(2, 'prompt', 300);
    set(3, 'prompt', 2000);
    set(4, 'steps', 2100);
    undo();
    expect(value).toBe(3);
    undo();
    expect(value).toBe(2);
    undo();
    expect(value).toBe(0);
    redo();
    expect(value).toBe(2);
  });

  it('takes back together what was done together, the last first', () => {
    set(1, 'a');
    recordTogether('both', () => {
      set(2, 'a');
      set(3, 'a');
    });
    recordTogether('nothing', () => {});
    undo();
    expect(value).toBe(1);
    redo();
    expect(value).toBe(3);
    undo();
    undo();
    expect(value).toBe(0);
  });

  it('forgets what was taken back once something else is done', () => {
    set(1);
    undo();
    set(5);
    redo();
    expect(value).toBe(5);
    expect(useHistory.getState().future).toEqual([]);
  });
});
