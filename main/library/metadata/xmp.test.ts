import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RenderRequest } from '../../../contract/request.ts';
import { requestFromJson, requestToJson } from './request-json.ts';
import { buildXmp, requestFromXmp } from './xmp.ts';

describe('the request in XMP', () => {
  it('comes back whatever the prompt holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (prompt) => {
        const request = RenderRequest.parse({ prompt: `${prompt}</impasto:request>&amp;"'\u0001\ufffe` });
        const packet = buildXmp(requestToJson(request));
        // XML 1.0 allows few control characters and no U+FFFE; JSON needs none of them.
        expect(packet).not.toMatch(/[\p{Cc}\ufffe\uffff]/u);
        const back = requestFromJson(requestFromXmp(packet) ?? '');
        expect(back).toEqual(request);
      }),
      { numRuns: 200 },
    );
  });

  it('is found as an attribute under another prefix, as editors rewrite it', () => {
    const packet = `<rdf:Description xmlns:ns1='urn:impasto:metadata:1:' ns1:request='{&quot;a&quot;:&#x661f;&#49;&apos;}'/>`;
    expect(requestFromXmp(packet)).toBe(`{"a":星1'}`);
  });

  it('is not found in other packets', () => {
    expect(requestFromXmp('')).toBeUndefined();
    expect(requestFromXmp('<x xmlns:impasto="urn:other:"><impasto:request>{}</impasto:request></x>')).toBeUndefined();
    expect(requestFromXmp('<x xmlns:i="urn:impasto:metadata:1:"><i:request>{}')).toBeUndefined();
  });
});
