/**
 * The printable characters that stand for bytes in a byte-level BPE vocabulary (Radford et al. 2019): a printable
 * Latin-1 byte is itself, the others are U+0100 and on.
 */
function isPrintable(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
}

const bytes = Array.from({ length: 256 }, (_, byte) => byte);
const printable = bytes.filter(isPrintable);
const unprintable = bytes.filter((byte) => !isPrintable(byte));

/** All 256 symbols in the order in which CLIP's vocabulary numbers them: the printable bytes first. */
export const symbolsInVocabularyOrder: readonly string[] = [
  ...printable.map((byte) => String.fromCharCode(byte)),
  ...unprintable.map((_, index) => String.fromCharCode(256 + index)),
];

/** The symbol of each byte. */
export const symbolOfByte: readonly string[] = (() => {
  const symbols: string[] = [];
  [...printable, ...unprintable].forEach((byte, index) => {
    symbols[byte] = symbolsInVocabularyOrder[index] ?? '';
  });
  return symbols;
})();

/** The byte of each symbol. */
export const byteOfSymbol: ReadonlyMap<string, number> = new Map(symbolOfByte.map((symbol, byte) => [symbol, byte]));
