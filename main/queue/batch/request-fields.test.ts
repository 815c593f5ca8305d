import { describe, expect, it } from 'vitest';
import { request } from '../test-support.ts';
import { fieldPaths, fieldValue, getField, withFields } from './request-fields.ts';

describe('fields of a request', () => {
  it('are all that the contract has', () => {
    expect(fieldPaths()).toEqual(
      expect.arrayContaining([
        'prompt',
        'guidance.scale',
        'scheduler.name',
        'init.path',
        'embeddings.0.token',
        'vae.tiling',
      ]),
    );
    expect(fieldPaths()).not.toContain('version');
  });

  it('are read from text as their kind', () => {
    expect(fieldValue('steps', ' 12 ')).toBe(12);
    expect(fieldValue('prompt', ' 12 ')).toBe(' 12 ');
    expect(fieldValue('mask.invert', 'yes')).toBe(true);
    expect(fieldValue('guidance.interval', '0.1, 0.9')).toEqual([0.1, 0.9]);
    expect(fieldValue('provider', 'auto')).toBe('auto');
    for (const [path, text] of [
      ['steps', 'many'],
      ['steps', ''],
      ['steps', '0x10'],
      ['mask.invert', 'perhaps'],
    ] as const) {
      expect(() => fieldValue(path, text)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
    }
  });

  it('are set, made where they were missing, and left out', () => {
    const base = request({ prompt: 'a', width: 64, height: 64 });
    const changed = withFields(base, [
      ['guidance.scale', 3],
      ['init.path', '/a.png'],
      ['embeddings.0.token', 'x'],
      ['embeddings.0.path', '/x.safetensors'],
      ['width', null],
    ]);
    expect(changed).toMatchObject({
      guidance: { scale: 3 },
      init: { path: '/a.png', strength: 0.75 },
      embeddings: [{ token: 'x' }],
      height: 64,
    });
    expect(changed.width).toBeUndefined();
    expect(base.guidance.scale).toBe(7.5);
    expect(getField(changed, 'embeddings.0.path')).toBe('/x.safetensors');
    expect(getField(base, 'init.path')).toBeUndefined();
  });

  it('that there are not, or that cannot have the value, are refused', () => {
    expect(() => withFields(request(), [['guidanse.scale', 3]])).toThrow(
      expect.objectContaining({ message: 'A request has no field "guidanse.scale".' }),
    );
    expect(() => withFields(request(), [['scale', 3]])).toThrow(
      expect.objectContaining({ remedy: 'Perhaps: guidance.scale.' }),
    );
    for (const path of ['__proto__.x', 'constructor', 'version', 'embeddings.x.path', 'prompt.length', '']) {
      expect(() => withFields(request(), [[path, 1]])).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
    }
    expect(() => withFields(request(), [['steps', 0]])).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  });
});
