import { beforeEach, describe, expect, it } from 'vitest';
import { AdapterRef } from '../../contract/request.ts';
import { addConcept, giveConcept, readConceptAs, removeConcept, rewriteConcept } from './concepts.ts';
import { firstDraft, useDraft } from './draft.ts';
import { undo } from './history.ts';

const draft = () => useDraft.getState().draft;
const drawnBy = () => draft().adapters.map(({ concept }) => concept ?? null);

describe('concepts', () => {
  beforeEach(() => {
    const adapters = ['cat', 'dog'].map((name) => AdapterRef.parse({ path: `/loras/${name}.safetensors` }));
    useDraft.setState({ draft: { ...firstDraft, adapters, concepts: [] } });
    expect([addConcept('cat'), addConcept('dog')]).toEqual([0, 1]);
    giveConcept(0, 'cat');
    giveConcept(1, 'dog');
  });

  it('are named by their words, and adapters go along', () => {
    rewriteConcept(0, 'red cat');
    expect(draft().concepts).toEqual([
      { name: 'red cat', words: 'red cat' },
      { name: 'dog', words: 'dog' },
    ]);
    expect(drawnBy()).toEqual(['red cat', 'dog']);
    rewriteConcept(0, '  ');
    expect(draft().concepts[0]?.words).toBe('red cat');
  });

  it('never share a name, as the request demands', () => {
    rewriteConcept(1, 'cat');
    expect(draft().concepts.map(({ name }) => name)).toEqual(['cat', 'cat 2']);
    expect(drawnBy()).toEqual(['cat', 'cat 2']);
  });

  it('are read as something else only where something is said', () => {
    readConceptAs(0, 'sks cat');
    expect(draft().concepts[0]).toEqual({ name: 'cat', words: 'cat', as: 'sks cat' });
    readConceptAs(0, '');
    expect(draft().concepts[0]).toEqual({ name: 'cat', words: 'cat' });
  });

  it('leave their adapters free when they go, and both come back', () => {
    removeConcept(0);
    expect(draft().concepts).toHaveLength(1);
    expect(drawnBy()).toEqual([null, 'dog']);
    expect(draft().adapters[0]).not.toHaveProperty('concept');
    undo();
    expect(draft().concepts).toHaveLength(2);
    expect(drawnBy()).toEqual(['cat', 'dog']);
  });
});
