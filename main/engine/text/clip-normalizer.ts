/** How CLIP's tokenizer reads a text before the BPE, as the Tokenizers backend of transformers 5 does it. */

/**
 * NFC, whitespace runs to one space, lower case. Neither HTML entities nor mojibake are mended. Lower case goes
 * character by character: a final sigma stays an ordinary one. A lone surrogate becomes U+FFFD.
 */
export function normalizeText(text: string): string {
  return text
    .toWellFormed()
    .normalize('NFC')
    .replace(/\p{White_Space}+/gu, ' ')
    .replaceAll('Σ', 'σ')
    .toLowerCase();
}

const wordPattern =
  /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;
const writtenSpecial = /^(<\|)(startoftext|endoftext)(\|>)$/;

/** The words of a normalised text: contractions, runs of letters, single digits, runs of anything else. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  for (const [word] of text.matchAll(wordPattern)) {
    // A special token that was not cut out as one (it was written in capitals) falls apart.
    const special = writtenSpecial.exec(word);
    if (special) words.push(...special.slice(1));
    else words.push(word);
  }
  return words;
}
