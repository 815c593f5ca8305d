import { describe, expect, it } from 'vitest';
import { uploadIdOf, uploadIdOfFile, uploadReference } from './uploads.ts';

const id = '0123456789abcdef0123456789abcdef';

describe('uploads', () => {
  it('are told from other paths by their references', () => {
    expect(uploadIdOf(uploadReference(id))).toBe(id);
    expect(uploadIdOf('/pictures/a.png')).toBeUndefined();
    expect(uploadIdOf('upload:../../etc')).toBeNull();
  });

  it('are known by the name of their file, on any system', () => {
    expect(uploadIdOfFile(`/home/a/uploads/${id}.png`)).toBe(id);
    expect(uploadIdOfFile(`C:\\uploads\\${id}.webp`)).toBe(id);
    expect(uploadIdOfFile(`${id}.jpg`)).toBe(id);
    expect(uploadIdOfFile(`/a/x${id}.png`)).toBeUndefined();
    expect(uploadIdOfFile('/a/mask.png')).toBeUndefined();
  });
});
