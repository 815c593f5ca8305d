import { expect, it } from 'vitest';
import { OutputTail } from './output-tail.ts';

it('OutputTail keeps the last bytes, however they come', () => {
  const text = Array.from({ length: 100 }, (_, index) => String(index % 10)).join('');
  for (const size of [1, 3, 7, 10, 11, 100]) {
    const tail = new OutputTail(10);
    for (let start = 0; start < text.length; start += size) tail.push(Buffer.from(text.slice(start, start + size)));
    expect(tail.toString()).toBe('0123456789');
  }
  const short = new OutputTail(10);
  short.push(Buffer.from('abc'));
  expect(short.toString()).toBe('abc');
});
