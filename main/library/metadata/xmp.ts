import { softwareName } from './software.ts';

/**
 * Our request in XMP (ISO 16684-1), as one text property of our own namespace. JPEG, WebP, AVIF and TIFF all carry
 * XMP, and editors that know nothing of Impasto keep properties they do not know.
 */

const namespace = 'urn:impasto:metadata:1:';

/** What JPEG's segment takes: 65,533 bytes less XMP's own header. */
export const maxJpegXmpBytes = 65_502;

export function buildXmp(requestJson: string): string {
  return (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' +
    `<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:impasto="${namespace}">` +
    `<xmp:CreatorTool>${escapeXml(softwareName)}</xmp:CreatorTool>` +
    `<impasto:request>${escapeXml(requestJson)}</impasto:request>` +
    '</rdf:Description></rdf:RDF></x:xmpmeta>'
  );
}

/** The request's JSON, whether a property stands as an element or, rewritten by an editor, as an attribute. */
export function requestFromXmp(xmp: string): string | undefined {
  const prefix = new RegExp(`xmlns:([A-Za-z_][\\w.-]*)\\s*=\\s*["']${namespace}["']`).exec(xmp)?.[1];
  if (prefix === undefined) return undefined;
  return between(xmp, `<${prefix}:request>`, `</${prefix}:request>`) ?? attribute(xmp, `${prefix}:request`);
}

function between(text: string, start: string, end: string): string | undefined {
  const from = text.indexOf(start);
  const to = from < 0 ? -1 : text.indexOf(end, from);
  return to < 0 ? undefined : unescapeXml(text.slice(from + start.length, to));
}

function attribute(text: string, name: string): string | undefined {
  for (const quote of ['"', "'"]) {
    const start = `${name}=${quote}`;
    const from = text.indexOf(start);
    const to = from < 0 ? -1 : text.indexOf(quote, from + start.length);
    if (to >= 0) return unescapeXml(text.slice(from + start.length, to));
  }
  return undefined;
}

function escapeXml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

function unescapeXml(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(?:#x([\da-f]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/gi, (all, hex, decimal, name) => {
    if (name !== undefined) return named[String(name).toLowerCase()] ?? all;
    const code = hex !== undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
}
