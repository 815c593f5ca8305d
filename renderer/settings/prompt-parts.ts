export interface PromptPart {
  text: string;
  kind: 'text' | 'bracket' | 'weight' | 'network' | 'break' | 'choice';
  /** Where it begins. */
  at: number;
}

const syntax =
  /(?<network><[^<>]*>)|(?<break>\bBREAK\b)|(?<choice>__[\w/-]+__|[{}|])|(?<weight>:\s*[+-]?\d*\.?\d+(?=\s*[)\]]))|(?<escape>\\.)|(?<bracket>[()[\]])/g;

/** A prompt in pieces to be coloured; joined they are the prompt again. */
export function promptParts(prompt: string): PromptPart[] {
  const parts: PromptPart[] = [];
  let at = 0;
  const add = (text: string, kind: PromptPart['kind']) => {
    if (text !== '') parts.push({ text, kind, at });
    at += text.length;
  };
  for (const match of prompt.matchAll(syntax)) {
    add(prompt.slice(at, match.index), 'text');
    const kind = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined)?.[0];
    add(match[0], kind === 'escape' || kind === undefined ? 'text' : (kind as PromptPart['kind']));
  }
  add(prompt.slice(at), 'text');
  return parts;
}
