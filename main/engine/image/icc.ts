/**
 * Names that profiles of plain sRGB bear. A name that only contains "sRGB" is not enough: there are linear and
 * perceptual ones.
 */
const srgbNames = new Set([
  'sRGB',
  'sRGB IEC61966-2.1',
  'sRGB IEC61966-2-1',
  'IEC 61966-2-1 Default RGB Colour Space - sRGB',
  'sRGB built-in',
  'GIMP built-in sRGB',
  'sRGB2014',
  'sRGB Profile',
]);

/**
 * True where an ICC profile (ISO 15076-1) calls itself sRGB. Such a picture needs no transform, and must not get one:
 * even the right one moves values by a level.
 */
export function isSrgbProfile(icc: Uint8Array): boolean {
  return srgbNames.has(profileName(Buffer.from(icc.buffer, icc.byteOffset, icc.byteLength)) ?? '');
}

function profileName(icc: Buffer): string | undefined {
  if (icc.length < 132) return undefined;
  const tags = icc.readUInt32BE(128);
  for (let at = 132; at < 132 + tags * 12 && at + 12 <= icc.length; at += 12) {
    if (icc.toString('latin1', at, at + 4) !== 'desc') continue;
    const start = icc.readUInt32BE(at + 4);
    return describe(icc.subarray(start, start + icc.readUInt32BE(at + 8)));
  }
  return undefined;
}

/** The text of a `desc` tag: ASCII in version 2 profiles, localised UTF-16 in version 4 ones (the first is taken). */
function describe(tag: Buffer): string | undefined {
  const type = tag.toString('latin1', 0, 4);
  if (type === 'desc' && tag.length >= 12) {
    return tag.toString('latin1', 12, 12 + tag.readUInt32BE(8)).replace(/\0+$/, '');
  }
  if (type === 'mluc' && tag.length >= 28) {
    const [length, offset] = [tag.readUInt32BE(20), tag.readUInt32BE(24)];
    const text = tag.subarray(offset, offset + length);
    return Buffer.from(text.subarray(0, text.length & ~1))
      .swap16()
      .toString('utf16le')
      .replace(/\0+$/, '');
  }
  return undefined;
}
