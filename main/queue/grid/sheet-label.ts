import sharp from 'sharp';

export interface Label {
  text: string;
  /** Pixels. */
  width: number;
  height: number;
  /** Of the font, in pixels; omitted: as large as reads well in the box. */
  fontSize?: number;
}

/** Width of a letter of the font, on average, as a share of its size. */
const letter = 0.56;
const lineHeight = 1.25;

/** A text in a box, centred, broken into lines and cut with an ellipsis: RGB bytes. */
export async function drawLabel({
  text,
  width,
  height,
  fontSize,
}: Label): Promise<{ data: Buffer; width: number; height: number }> {
  const size = fontSize ?? Math.max(8, Math.min(18, Math.round(height / 2), Math.round(width / 6)));
  const perLine = Math.max(1, Math.floor(width / (size * letter)));
  const lines = breakLines(text, perLine, Math.max(1, Math.floor(height / (size * lineHeight))));
  const top = (height - lines.length * size * lineHeight) / 2 + size;
  const spans = lines
    .map((line, index) => `<tspan x="${width / 2}" y="${top + index * size * lineHeight}">${escapeXml(line)}</tspan>`)
    .join('');
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="#fff"/><text text-anchor="middle" font-family="Inter, 'Noto Sans', 'DejaVu Sans', Arial, sans-serif" font-size="${size}" fill="#222">${spans}</text></svg>`;
  const data = await sharp(Buffer.from(svg)).resize(width, height, { fit: 'fill' }).removeAlpha().raw().toBuffer();
  return { data, width, height };
}

/** Whether text can be drawn at all: a bare system has no fonts. */
export async function fontsThere(): Promise<boolean> {
  const { data } = await drawLabel({ text: 'MMMM', width: 80, height: 40 });
  return data.some((value) => value < 0x80);
}

/** Lines of at most so many characters, broken at spaces where there are any. */
export function breakLines(text: string, perLine: number, most: number): string[] {
  const lines = [''];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    for (let rest = [...word]; rest.length > 0; ) {
      const line = lines.at(-1) as string;
      const length = [...line].length;
      if (length > 0 && length + 1 + Math.min(rest.length, perLine) > perLine) {
        lines.push('');
        continue;
      }
      lines[lines.length - 1] = (length > 0 ? `${line} ` : '') + rest.slice(0, perLine).join('');
      rest = rest.slice(perLine);
      if (rest.length > 0) lines.push('');
    }
  }
  if (lines.length <= most) return lines;
  const last = [...(lines[most - 1] as string)].slice(0, Math.max(0, perLine - 1)).join('');
  return [...lines.slice(0, most - 1), `${last}…`];
}

/** Text as it may stand in XML; what XML cannot hold is left out. */
function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '')
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
