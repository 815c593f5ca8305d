import sharp from 'sharp';

let profile: Promise<Buffer> | undefined;

/** The sRGB ICC profile that sharp carries (a compact v4 one), for what sharp cannot attach it to unchanged. */
export function srgbProfile(): Promise<Buffer> {
  profile ??= readProfile();
  return profile;
}

async function readProfile(): Promise<Buffer> {
  const pixel = { create: { width: 1, height: 1, channels: 3 as const, background: '#000' } };
  const { icc } = await sharp(await sharp(pixel).withIccProfile('srgb').png().toBuffer()).metadata();
  if (!icc) throw new Error('sharp gave no sRGB profile');
  return icc;
}
