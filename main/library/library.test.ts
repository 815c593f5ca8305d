import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { LibraryEvent } from '../../contract/library.ts';
import { Library } from './library.ts';
import { temporaryFolder, writeAdapter, writePicture } from './test-support.ts';

function openLibrary(home = temporaryFolder()): Library {
  const library = new Library({ home });
  onTestFinished(() => library.close());
  return library;
}

const names = (library: Library) =>
  library.pictures
    .list({ order: 'oldest' })
    .pictures.map(({ name }) => name)
    .sort();
const soon = { timeout: 20_000, interval: 50 };

describe('a library that is watched', () => {
  it('hears of models and pictures that come, change and go, and of their stars', async () => {
    const home = temporaryFolder();
    const library = openLibrary(home);
    await writePicture(join(home, 'pictures/there.png'), { prompt: 'from before' });
    await library.start();
    expect(names(library)).toEqual(['there.png']);
    mkdirSync(join(home, 'pictures/new folder'));
    await vi.waitFor(async () => {
      // A folder is watched once a look has found it.
      await writePicture(join(home, 'pictures/new folder/b.png'), { prompt: 'came later' });
      expect(names(library)).toContain('b.png');
    }, soon);
    await writePicture(join(home, 'pictures/there.png'), { prompt: 'drawn over' });
    await vi.waitFor(() => expect(library.pictures.list({ text: 'over' }).total).toBe(1), soon);
    writeFileSync(join(home, 'pictures/.impasto-stars.json'), '{"version": 1, "stars": ["there.png"]}');
    await vi.waitFor(() => expect(library.pictures.list({ star: true }).total).toBe(1), soon);
    rmSync(join(home, 'pictures/there.png'));
    await vi.waitFor(() => expect(names(library)).toEqual(['b.png']), soon);

    const path = join(home, 'models/ink.safetensors');
    await writeAdapter(path);
    await vi.waitFor(() => expect(library.models.list({ text: 'ink' }).models[0]?.state).toBe('usable'), soon);
    await vi.waitFor(() => expect(library.models.get(path).hash).toMatch(/^[0-9a-f]{10}$/), soon);
  });
});

describe('the whole library', () => {
  it('is the same when its index is lost, damaged or made anew', async () => {
    const home = temporaryFolder();
    const outside = temporaryFolder();
    const first = openLibrary(home);
    await writePicture(join(home, 'pictures/a.png'), { prompt: 'kept' });
    await writePicture(join(outside, 'drawn.png'), { prompt: 'drawn elsewhere' });
    await writePicture(join(outside, 'album/holiday.png'), {}, { parameters: 'not drawn here' });
    await writeAdapter(join(home, 'models/ink.safetensors'));
    await first.scanModels();
    await first.scanPictures();
    await first.drew(join(outside, 'drawn.png'));
    await first.pictures.star([first.pictures.list({ text: 'kept' }).pictures[0]?.id as number], true);
    const contents = (library: Library) => [
      ...library.pictures.list({ order: 'oldest' }).pictures.map(({ id: _, ...picture }) => picture),
      ...library.models.list().models.map(({ hash: _, bodyHash: __, ...model }) => model),
    ];
    const before = contents(first);
    expect(before).toHaveLength(3);
    await first.rebuild();
    expect(contents(first)).toEqual(before);
    first.close();

    const database = join(home, 'library.sqlite');
    renameSync(database, `${database}.lost`);
    const second = openLibrary(home);
    expect(contents(second)).toEqual([]);
    await second.rebuild();
    expect(contents(second)).toEqual(before);
    second.close();

    const bytes = readFileSync(database);
    writeFileSync(database, bytes.fill(0x5a, 0, 5000));
    const third = openLibrary(home);
    expect(third.warnings).toMatchObject([{ code: 'LIBRARY_DAMAGED' }]);
    await third.rebuild();
    expect(contents(third)).toEqual(before);
  });

  it('looks through other folders when it is told to, and remembers them', async () => {
    const home = temporaryFolder();
    const shelf = temporaryFolder();
    await writeAdapter(join(shelf, 'ink.safetensors'));
    const library = openLibrary(home);
    const told: LibraryEvent[] = [];
    library.on((event) => told.push(event));
    await library.setFolders({ models: [shelf, shelf], pictures: [join(shelf, 'none')] });
    await library.scanModels();
    await library.scanPictures();
    expect(library.models.list().models.map(({ fileName }) => fileName)).toEqual(['ink']);
    await vi.waitFor(() => expect(told).toContainEqual({ type: 'models-changed' }), soon);
    expect(told).toContainEqual({ type: 'warning', warning: expect.objectContaining({ code: 'FOLDER_UNREADABLE' }) });
    expect(openLibrary(home).folders()).toEqual({ models: [shelf], pictures: [join(shelf, 'none')] });
  });

  it('keeps what several processes have told it of folders', async () => {
    const home = temporaryFolder();
    const outside = temporaryFolder();
    const [one, other] = [openLibrary(home), openLibrary(home)];
    await writePicture(join(outside, 'drawn.png'), { prompt: 'drawn by the other' });
    await other.drew(join(outside, 'drawn.png'));
    await one.addFolder('models', outside);
    await one.scanPictures();
    expect(names(one)).toEqual(['drawn.png']);
    expect(openLibrary(home).folders().models).toEqual([join(home, 'models'), outside]);
    // One that was written while nobody listened.
    await writePicture(join(outside, 'album/late.png'), { prompt: 'late' });
    await one.catchUp([join(outside, 'album/late.png'), join(outside, 'drawn.png'), join(outside, 'gone.png')]);
    await other.rebuild();
    expect(names(other)).toEqual(['drawn.png', 'late.png']);
  });

  it('does not write over a list of folders that it cannot read', async () => {
    const home = temporaryFolder();
    writeFileSync(join(home, 'library.json'), '{"models": "everything"}');
    const library = openLibrary(home);
    expect(library.warnings).toMatchObject([{ code: 'LIBRARY_FOLDERS' }]);
    await library.setFolders({ models: [home], pictures: [] });
    expect(readFileSync(join(home, 'library.json'), 'utf8')).toBe('{"models": "everything"}');
  });
});
