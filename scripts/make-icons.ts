/** Draws the app's icons for every system from `impasto.svg`. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

const folder = join(import.meta.dirname, '../assets/icon');
const svg = readFileSync(join(folder, 'impasto.svg'));

async function png(size: number): Promise<Buffer> {
  // Drawn larger and scaled down: thin strokes keep their weight.
  const large = await sharp(svg, { density: (72 * size * 4) / 1024 })
    .resize(size * 4, size * 4)
    .png()
    .toBuffer();
  return await sharp(large).resize(size, size, { kernel: 'lanczos3' }).png({ compressionLevel: 9 }).toBuffer();
}

/** ICO: a directory of entries of 16 bytes, then the pictures; PNG inside since Windows Vista. */
function ico(pictures: readonly { size: number; bytes: Buffer }[]): Buffer {
  const head = Buffer.alloc(6 + 16 * pictures.length);
  head.writeUInt16LE(1, 2);
  head.writeUInt16LE(pictures.length, 4);
  let offset = head.length;
  pictures.forEach(({ size, bytes }, index) => {
    const at = 6 + 16 * index;
    head.writeUInt8(size % 256, at);
    head.writeUInt8(size % 256, at + 1);
    head.writeUInt16LE(1, at + 4);
    head.writeUInt16LE(32, at + 6);
    head.writeUInt32LE(bytes.length, at + 8);
    head.writeUInt32LE(offset, at + 12);
    offset += bytes.length;
  });
  return Buffer.concat([head, ...pictures.map(({ bytes }) => bytes)]);
}

/** ICNS: chunks of a type of four letters and a big-endian length, both counted in it. */
function icns(pictures: readonly { type: string; bytes: Buffer }[]): Buffer {
  const chunk = (type: string, bytes: Buffer) => {
    const head = Buffer.alloc(8);
    head.write(type, 'latin1');
    head.writeUInt32BE(bytes.length + 8, 4);
    return Buffer.concat([head, bytes]);
  };
  return chunk('icns', Buffer.concat(pictures.map(({ type, bytes }) => chunk(type, bytes))));
}

const linux = join(folder, 'linux');
mkdirSync(linux, { recursive: true });
for (const size of [16, 32, 48, 64, 128, 256, 512]) writeFileSync(join(linux, `${size}x${size}.png`), await png(size));
const windows = [16, 24, 32, 48, 64, 128, 256];
writeFileSync(
  join(folder, 'impasto.ico'),
  ico(await Promise.all(windows.map(async (size) => ({ size, bytes: await png(size) })))),
);
const mac = { icp4: 16, ic11: 32, ic12: 64, ic07: 128, ic08: 256, ic13: 256, ic09: 512, ic14: 512, ic10: 1024 };
writeFileSync(
  join(folder, 'impasto.icns'),
  icns(await Promise.all(Object.entries(mac).map(async ([type, size]) => ({ type, bytes: await png(size) })))),
);
