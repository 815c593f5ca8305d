import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Database } from '../../database/database.ts';
import { insertPngChunks } from '../metadata/png-chunks.ts';
import { openIndex, pictureBytes, temporaryFolder, writePicture } from '../test-support.ts';
import { PictureLibrary, type PictureLibraryOptions } from './picture-library.ts';

interface Setup extends Partial<PictureLibraryOptions> {
  home?: string;
}

function openPictures({ home = temporaryFolder(), ...options }: Setup = {}) {
  const folder = join(home, 'pictures');
  mkdirSync(folder, { recursive: true });
  const database: Database = options.database ?? openIndex();
  const pictures = new PictureLibrary({
    folders: () => [folder],
    thumbnails: join(home, 'cache'),
    imports: join(folder, 'imported'),
    bin: async (path) => {
      renameSync(path, join(home, 'binned'));
      return null;
    },
    ...options,
    database,
  });
  onTestFinished(() => pictures.close());
  return { home, folder, database, pictures };
}

const names = ({ pictures }: { pictures: { name: string }[] }) => pictures.map(({ name }) => name);
/** Everything of the index but its ids, which are of no meaning. */
const contents = (pictures: PictureLibrary) =>
  pictures.list({ limit: 1000 }).pictures.map(({ id: _id, ...picture }) => picture);

const infotext =
  'a <lora:ink:0.8> castle\nNegative prompt: fog\nSteps: 25, Sampler: Euler a, CFG scale: 7, Seed: 99, ' +
  'Size: 512x768, Model hash: abcdef0123, Model: castles_v3, Version: v1.9.3';

describe('the index of pictures', () => {
  it('has what came into a new folder before it was watched', async () => {
    const { folder, pictures } = openPictures();
    const deep = join(folder, 'new/er');
    await writePicture(join(deep, 'first.png'), { prompt: 'a red star' });
    const late = await pictureBytes();
    pictures.events.once('folders', () => writeFileSync(join(deep, 'late.png'), late));
    await pictures.scan();
    expect(names(pictures.list()).sort()).toEqual(['first.png', 'late.png']);
  });

  it('is brought up to date, though folders come all the time', async () => {
    const { folder, pictures } = openPictures();
    let walks = 0;
    pictures.events.on('folders', () => mkdirSync(join(folder, `new-${++walks}`)));
    await pictures.scan();
    expect(walks).toBe(3);
  });

  it('holds what each picture says of itself, whatever wrote it', async () => {
    const { folder, pictures } = openPictures();
    await writePicture(join(folder, 'ours.png'), {
      prompt: 'a red star',
      negativePrompt: 'blur',
      model: '/models/dream.safetensors',
      seed: Number.MAX_SAFE_INTEGER,
      steps: 7,
      scheduler: { name: 'euler' },
    });
    await writePicture(join(folder, 'deep/er/theirs.png'), {}, { parameters: infotext });
    await sharp(await pictureBytes())
      .jpeg()
      .toFile(join(folder, 'photo.jpg'));
    writeFileSync(join(folder, 'notes.txt'), 'not a picture');
    expect(await pictures.scan()).toMatchObject({ found: 3, added: 3, broken: 0, warnings: [] });
    const found = new Map(pictures.list().pictures.map((picture) => [picture.name, picture]));
    expect(found.get('ours.png')).toMatchObject({
      ...{ format: 'png', width: 16, height: 16, prompt: 'a red star', negativePrompt: 'blur', model: 'dream' },
      ...{ seed: Number.MAX_SAFE_INTEGER, steps: 7, sampler: 'euler', source: 'impasto', star: false, problem: null },
    });
    expect(found.get('theirs.png')).toMatchObject({
      ...{ prompt: 'a <lora:ink:0.8> castle', model: 'castles_v3', modelHash: 'abcdef0123', adapters: ['ink'] },
      ...{ source: 'infotext', seed: 99 },
    });
    expect(found.get('photo.jpg')).toMatchObject({ source: null, prompt: '', format: 'jpeg' });
    expect(pictures.facets()).toMatchObject({
      models: [
        { name: 'castles_v3', pictures: 1 },
        { name: 'dream', pictures: 1 },
      ],
      adapters: [{ name: 'ink', pictures: 1 }],
      starred: 0,
    });
  });

  it('lists broken and hostile pictures with their error, and goes on', async () => {
    const { folder, pictures } = openPictures();
    await writePicture(join(folder, 'good.png'));
    writeFileSync(join(folder, 'empty.png'), '');
    writeFileSync(
      join(folder, 'script.png'),
      '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    );
    const whole = await pictureBytes();
    const bomb = Buffer.from(whole);
    // 1 gigapixel in the header of a file of some hundred bytes.
    bomb.writeUInt32BE(32_768, 16);
    bomb.writeUInt32BE(32_768, 20);
    writeFileSync(join(folder, 'bomb.png'), bomb);
    const hostile = await insertPngChunks(whole, {
      early: [
        {
          type: 'tEXt',
          data: Buffer.from('parameters\0<img src=x onerror=alert(1)>\x1b[2J\0\nSteps: 1e999, Seed: -1'),
        },
        { type: 'zTXt', data: Buffer.from('Comment\0\0not deflated') },
        { type: 'iTXt', data: Buffer.alloc(100, 1) },
      ],
    });
    writeFileSync(join(folder, 'hostile.png'), hostile);
    expect(await pictures.scan()).toMatchObject({ found: 5, added: 5, broken: 3 });
    const problems = Object.fromEntries(pictures.list().pictures.map(({ name, problem }) => [name, problem?.code]));
    expect(problems).toEqual({
      'good.png': undefined,
      'hostile.png': undefined,
      'empty.png': 'IMAGE_UNREADABLE',
      'script.png': 'IMAGE_UNREADABLE',
      'bomb.png': 'IMAGE_TOO_LARGE',
    });
    await pictures.scan();
    expect(pictures.list().total).toBe(5);
  });

  it('follows what changes, comes and goes, reads nothing twice, and keeps a disk that is away', async () => {
    const { home, folder, pictures } = openPictures();
    await writePicture(join(folder, 'a.png'), { prompt: 'first' });
    await writePicture(join(folder, 'b.png'), { prompt: 'second' });
    await pictures.scan();
    expect(await pictures.scan()).toMatchObject({ found: 2, added: 0, changed: 0, removed: 0 });
    await writePicture(join(folder, 'a.png'), { prompt: 'another prompt' });
    rmSync(join(folder, 'b.png'));
    expect(await pictures.scan()).toMatchObject({ found: 1, added: 0, changed: 1, removed: 1 });
    expect(names(pictures.list({ text: 'another' }))).toEqual(['a.png']);
    expect(pictures.list({ text: 'first' }).total + pictures.list({ text: 'second' }).total).toBe(0);

    renameSync(folder, join(home, 'away'));
    const report = await pictures.scan();
    expect([report.removed, report.warnings[0]?.code]).toEqual([0, 'FOLDER_UNREADABLE']);
    expect(pictures.list().total).toBe(1);
  });

  it('takes up one picture at once, and forgets one that is gone', async () => {
    const { folder, pictures } = openPictures();
    const path = join(folder, 'new.png');
    await writePicture(path, { prompt: 'fresh paint' });
    expect(await pictures.add(path)).toMatchObject({ prompt: 'fresh paint', path });
    expect(names(pictures.list({ text: 'paint' }))).toEqual(['new.png']);
    rmSync(path);
    expect(await pictures.add(path)).toBeNull();
    expect(pictures.list().total).toBe(0);
  });
});

describe('search', () => {
  async function shelf() {
    const { folder, pictures } = openPictures();
    const write = async (name: string, day: number, prompt: string, negativePrompt = '', model = 'demo') => {
      await writePicture(join(folder, name), { prompt, negativePrompt, model });
      utimesSync(join(folder, name), day * 86400, day * 86400);
    };
    await write('1.png', 1, 'a lighthouse at dusk, oil painting', 'blurry', '/m/Dream-Shaper.safetensors');
    await write('2.png', 2, 'the same lighthouse by day <lora:Ink_Wash:1>', 'dusk');
    await write('3.png', 3, '星と猫 in the café, 16:9');
    await pictures.scan();
    return pictures;
  }
  const day = 86_400_000;

  it.each([
    ['light', ['2.png', '1.png']],
    ['LIGHTHOUSE oil', ['1.png']],
    ['dusk', ['2.png', '1.png']],
    ['prompt:dusk', ['1.png']],
    ['negative:dusk', ['2.png']],
    ['lighthouse -dusk', []],
    ['-lighthouse', ['3.png']],
    ['"at dusk"', ['1.png']],
    ['"dusk at"', []],
    ['model:dream', ['1.png']],
    ['lora:ink', ['2.png']],
    ['cafe', ['3.png']],
    ['猫', ['3.png']],
    ['-猫', ['2.png', '1.png']],
    ['16:9', ['3.png']],
    ['', ['3.png', '2.png', '1.png']],
    ['"', ['3.png', '2.png', '1.png']],
    ['* () !', ['3.png', '2.png', '1.png']],
    ['light OR cafe', []],
    ['NEAR(light dusk)', []],
    ['prompt : light"; DROP TABLE pictures', []],
  ])('%j finds %j', async (text, found) => {
    expect(names((await shelf()).list({ text }))).toEqual(found);
  });

  it('narrows by date, star and model, in pages, newest or oldest first', async () => {
    const pictures = await shelf();
    expect(names(pictures.list({ from: 2 * day }))).toEqual(['3.png', '2.png']);
    expect(names(pictures.list({ until: 2 * day }))).toEqual(['1.png']);
    expect(names(pictures.list({ model: 'Dream-Shaper' }))).toEqual(['1.png']);
    expect(names(pictures.list({ adapter: 'Ink_Wash' }))).toEqual(['2.png']);
    expect(names(pictures.list({ adapter: 'Ink' }))).toEqual([]);
    expect(names(pictures.list({ order: 'oldest', limit: 2, offset: 1 }))).toEqual(['2.png', '3.png']);
    expect(pictures.list({ limit: 1 }).total).toBe(3);
    const second = pictures.list({ text: 'day' }).pictures[0]?.id as number;
    await pictures.star([second], true);
    expect(names(pictures.list({ star: true }))).toEqual(['2.png']);
    expect(names(pictures.list({ star: false, text: 'lighthouse' }))).toEqual(['1.png']);
  });

  it('never fails, whatever is typed', async () => {
    const pictures = await shelf();
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.stringMatching(/^[-":*()a猫 ]*$/)),
        (text) => {
          expect(pictures.list({ text: text.slice(0, 2000) }).total).toBeLessThanOrEqual(3);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('stars', () => {
  it('are beside the pictures: an index made anew, or a folder that was copied, has them all', async () => {
    const { home, folder, pictures } = openPictures();
    await writePicture(join(folder, 'a.png'), { prompt: 'kept' });
    await writePicture(join(folder, 'sub/b.png'), {}, { parameters: infotext });
    await writePicture(join(folder, 'sub/c.png'), {});
    await pictures.scan();
    const ids = pictures.list().pictures.filter(({ name }) => name !== 'c.png');
    await pictures.star(
      ids.map(({ id }) => id),
      true,
    );
    const before = contents(pictures);
    expect(before.filter(({ star }) => star)).toHaveLength(2);
    // Another database: nothing is left but the files.
    const { pictures: again } = openPictures({ home });
    expect(await again.rebuild()).toMatchObject({ found: 3, broken: 0 });
    expect(contents(again)).toEqual(before);
    await again.star([again.list({ text: 'kept' }).pictures[0]?.id as number], false);
    await pictures.scan();
    expect(names(pictures.list({ star: true }))).toEqual(['b.png']);
  });

  it('that cannot be read are told and never written over', async () => {
    const { folder, pictures } = openPictures();
    await writePicture(join(folder, 'a.png'));
    writeFileSync(join(folder, '.impasto-stars.json'), '{"version": 9, "stars": "all"}');
    expect((await pictures.scan()).warnings).toMatchObject([{ code: 'STARS_UNREADABLE' }]);
    await pictures.star([pictures.list().pictures[0]?.id as number], true);
    expect(readFileSync(join(folder, '.impasto-stars.json.damaged'), 'utf8')).toContain('"all"');
    expect((await pictures.scan()).warnings).toEqual([]);
    expect(names(pictures.list({ star: true }))).toEqual(['a.png']);
  });
});

describe('deleting', () => {
  it('moves to the bin, and keeps what the bin refuses', async () => {
    const home = temporaryFolder();
    const { folder, pictures } = openPictures({
      home,
      bin: async (path) => {
        if (path.endsWith('stuck.png')) throw new Error('the bin is full');
        renameSync(path, join(home, 'binned'));
        return null;
      },
    });
    await writePicture(join(folder, 'a.png'));
    await writePicture(join(folder, 'stuck.png'));
    await pictures.scan();
    await pictures.star(
      pictures.list().pictures.map(({ id }) => id),
      true,
    );
    const result = await pictures.remove(pictures.list({ order: 'oldest' }).pictures.map(({ id }) => id));
    expect(result).toMatchObject({ removed: [expect.any(Number)], undo: null });
    expect(result.failed).toMatchObject([{ problem: { message: 'the bin is full' } }]);
    expect(existsSync(join(home, 'binned'))).toBe(true);
    expect(names(pictures.list())).toEqual(['stuck.png']);
    // A new picture of the old one's name has no star.
    await writePicture(join(folder, 'a.png'));
    await pictures.scan();
    expect(names(pictures.list({ star: true }))).toEqual(['stuck.png']);
  });
});

describe('import', () => {
  it('copies pictures of any kind as they are, once, and refuses what is none', async () => {
    const { home, folder, pictures } = openPictures();
    const from = join(home, 'downloads');
    await writePicture(join(from, 'castle.png'), {}, { parameters: infotext });
    await writePicture(join(from, '-rf $(x).png'), { prompt: 'ours' });
    const webp = await sharp(await pictureBytes())
      .webp()
      .toBuffer();
    writeFileSync(join(from, 'misnamed.exe'), webp);
    const whole = await pictureBytes({}, { width: 64, height: 64 });
    writeFileSync(join(from, 'cut.png'), whole.subarray(0, whole.length >> 1));
    writeFileSync(join(from, 'evil.png'), '#!/bin/sh\nrm -rf /');
    const bomb = Buffer.from(await pictureBytes());
    bomb.writeUInt32BE(30_000, 16);
    writeFileSync(join(from, 'bomb.png'), bomb);
    const sources = ['castle.png', '-rf $(x).png', 'misnamed.exe', 'cut.png', 'evil.png', 'bomb.png', 'missing.png'];
    const results = await pictures.import(sources.map((name) => ({ path: join(from, name) })));
    expect(results.map(({ picture, problem }) => picture?.name ?? problem?.code)).toEqual([
      'castle.png',
      'rf $(x).png',
      'misnamed.webp',
      'IMAGE_UNREADABLE',
      'IMAGE_UNREADABLE',
      'IMAGE_TOO_LARGE',
      'FILE_NOT_FOUND',
    ]);
    expect(results[0]?.picture).toMatchObject({ adapters: ['ink'], source: 'infotext' });
    expect(readdirSync(join(folder, 'imported')).sort()).toEqual(['castle.png', 'misnamed.webp', 'rf $(x).png']);
    expect(readFileSync(join(folder, 'imported/castle.png')).equals(readFileSync(join(from, 'castle.png')))).toBe(true);
    const again = await pictures.import([
      { path: join(from, 'castle.png') },
      { path: join(folder, 'imported/castle.png') },
    ]);
    expect(again.map(({ known, picture }) => [known, picture?.id])).toEqual([
      [true, results[0]?.picture?.id],
      [true, results[0]?.picture?.id],
    ]);
    expect(readdirSync(join(folder, 'imported'))).toHaveLength(3);
  });
});

describe('folders that pictures were drawn into', () => {
  it('give the library what Impasto drew, and nothing else of theirs', async () => {
    const home = temporaryFolder();
    const desktop = join(home, 'desktop');
    const { database, pictures } = openPictures({ home, drawnInto: () => [desktop] });
    await writePicture(join(desktop, 'drawn.png'), { prompt: 'drawn here' });
    await writePicture(join(desktop, 'holiday.png'), {}, { parameters: 'no settings' });
    await pictures.add(join(desktop, 'drawn.png'));
    await pictures.scan();
    expect(names(pictures.list())).toEqual(['drawn.png']);
    await pictures.rebuild();
    expect(names(pictures.list())).toEqual(['drawn.png']);
    expect(database.all('SELECT DISTINCT folder FROM pictures')).toEqual([{ folder: desktop }]);
  });
});

describe('thumbnails', () => {
  it('are made once, small and upright, and anew for a changed picture', async () => {
    const { home, folder, pictures } = openPictures();
    const path = join(folder, 'wide.jpg');
    const bytes = await pictureBytes({}, { width: 600, height: 300 });
    await sharp(bytes).withMetadata({ orientation: 6 }).jpeg().toFile(path);
    await pictures.scan();
    const id = pictures.list().pictures[0]?.id as number;
    const [first, second] = await Promise.all([pictures.thumbnail(id), pictures.thumbnail(id)]);
    expect(second).toBe(first);
    expect(await sharp(readFileSync(first)).metadata()).toMatchObject({ format: 'webp', width: 128, height: 256 });
    utimesSync(path, 5, 5);
    const third = await pictures.thumbnail(id);
    expect(third).not.toBe(first);
    await pictures.rebuild();
    expect([existsSync(first), existsSync(third)]).toEqual([false, true]);
    expect(readdirSync(join(home, 'cache')).flatMap((shelf) => readdirSync(join(home, 'cache', shelf)))).toHaveLength(
      1,
    );
  });

  it('of what is no picture are refused', async () => {
    const { folder, pictures } = openPictures();
    const whole = await pictureBytes({}, { width: 64, height: 64 });
    writeFileSync(join(folder, 'cut.png'), whole.subarray(0, whole.length - 2000));
    await pictures.scan();
    const id = pictures.list().pictures[0]?.id as number;
    await expect(pictures.thumbnail(id)).rejects.toMatchObject({ code: 'IMAGE_UNREADABLE' });
    await expect(pictures.thumbnail(999)).rejects.toMatchObject({ code: 'NOT_IN_LIBRARY' });
  });
});
