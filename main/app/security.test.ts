import { describe, expect, it } from 'vitest';
import { isOwnPage, isOwnSender, lockedPreferences, mayHave, mayOpenOutside, mayRequest } from './security.ts';

const foreign = [
  'https://app/',
  'impasto://evil/',
  'impasto://app.evil/',
  'impasto://app@evil/',
  'impasto://user:pass@app/',
  'impasto:app',
  'Ximpasto://app/',
  'file:///etc/passwd',
  'about:blank',
  'data:text/html,x',
  'javascript:alert(1)',
  '',
  'nonsense',
];

describe('pages', () => {
  it('are ours by scheme and host only', () => {
    for (const url of ['impasto://app/', 'impasto://app/index.html', 'impasto://app/a?b#c'])
      expect(isOwnPage(url)).toBe(true);
    for (const url of foreign) expect(isOwnPage(url), url).toBe(false);
  });

  it('are heard from their top frame only', () => {
    expect(isOwnSender({ url: 'impasto://app/', parent: null })).toBe(true);
    expect(isOwnSender({ url: 'impasto://app/', parent: {} })).toBe(false);
    expect(isOwnSender(null)).toBe(false);
    expect(isOwnSender(undefined)).toBe(false);
    for (const url of foreign) expect(isOwnSender({ url, parent: null }), url).toBe(false);
  });

  it('reach nothing over the network', () => {
    for (const url of [
      'https://huggingface.co/',
      'http://127.0.0.1/',
      'ws://x/',
      'file:///x',
      'ftp://x',
      'impasto://x/',
    ]) {
      expect(mayRequest(url, true), url).toBe(false);
    }
    for (const url of ['impasto://app/x.js', 'blob:impasto://app/1-2', 'data:image/png;base64,AA']) {
      expect(mayRequest(url, false), url).toBe(true);
    }
    expect(mayRequest('devtools://devtools/x.html', false)).toBe(false);
    expect(mayRequest('devtools://devtools/x.html', true)).toBe(true);
  });
});

describe('permissions', () => {
  it('are denied but for copying text', () => {
    for (const permission of [
      'media',
      'geolocation',
      'notifications',
      'clipboard-read',
      'hid',
      'openExternal',
      'fullscreen',
    ]) {
      expect(mayHave(permission, 'impasto://app/'), permission).toBe(false);
    }
    expect(mayHave('clipboard-sanitized-write', 'impasto://app/')).toBe(true);
    expect(mayHave('clipboard-sanitized-write', 'https://evil.example/')).toBe(false);
  });
});

describe('what is opened outside', () => {
  it('is https on a few sites', () => {
    for (const url of ['https://huggingface.co/a/b', 'https://civitai.com/models/1', 'https://www.github.com/']) {
      expect(mayOpenOutside(url), url).toBe(true);
    }
    for (const url of [
      'http://huggingface.co/',
      'https://huggingface.co.evil.example/',
      'https://evil.example/?huggingface.co',
      'https://huggingface.co@evil.example/',
      'https://user@huggingface.co/',
      'https://huggingface.co:8443/',
      'file:///usr/bin/calculator',
      'ms-msdt:/id',
      'smb://host/share',
      'javascript:alert(1)',
      '',
      null,
      { toString: () => 'https://github.com/' },
      `https://github.com/${'a'.repeat(3000)}`,
    ]) {
      expect(mayOpenOutside(url), String(url)).toBe(false);
    }
  });
});

it('every window is locked', () => {
  const { contextIsolation, sandbox, nodeIntegration, webSecurity, webviewTag } = lockedPreferences;
  expect([contextIsolation, sandbox, nodeIntegration, webSecurity, webviewTag]).toEqual([
    true,
    true,
    false,
    true,
    false,
  ]);
});
