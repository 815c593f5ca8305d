import { create } from 'zustand';
import { Style } from '../../contract/request.ts';
import { type Draft, useDraft } from './draft.ts';
import { record } from './history.ts';

/** How a style is drawn; its content is the picture on the canvas. */
export type StyleSettings = Omit<Style, 'content'>;

interface StyleState {
  /** The regions are parts of the picture that take their adapters' style, instead of being drawn anew. */
  on: boolean;
  settings: StyleSettings;
}

export function styleSettingsOf({ content: _, ...settings }: Style): StyleSettings {
  return settings;
}

const storageKey = 'impasto.style';

function stored(): StyleState {
  try {
    const { on, settings } = JSON.parse(globalThis.localStorage?.getItem(storageKey) ?? '{}') as Partial<StyleState>;
    return { on: on === true, settings: styleSettingsOf(Style.parse({ ...settings, content: '.' })) };
  } catch {
    // Written by another version.
    return { on: false, settings: styleSettingsOf(Style.parse({ content: '.' })) };
  }
}

export const useStyle = create<StyleState>(stored);
useStyle.subscribe((state) => globalThis.localStorage?.setItem(storageKey, JSON.stringify(state)));

/** As DiffStyler was published: what the settings become when a style is begun. */
const published = { steps: 50, guidance: 10.5, inversionSteps: 999 } as const;
export const publishedInversion = published.inversionSteps;

/** Begins a style with the settings that it was published with, or leaves it; undone as one. */
export function turnStyle(on: boolean): void {
  const before = useStyle.getState();
  if (before.on === on) return;
  const { steps, guidance, scheduler } = useDraft.getState().draft;
  const former: Partial<Draft> = { steps, guidance, scheduler };
  const next: Partial<Draft> = on
    ? { steps: published.steps, guidance: { ...guidance, scale: published.guidance }, scheduler: { name: 'ddim' } }
    : {};
  const put = (style: Partial<StyleState>, fields: Partial<Draft>) => {
    useStyle.setState(style);
    useDraft.setState(({ draft }) => ({ draft: { ...draft, ...fields } }));
  };
  put({ on }, next);
  record({
    label: on ? 'Style through masks' : 'Leave the style',
    undo: () => put({ on: before.on }, on ? former : {}),
    redo: () => put({ on }, next),
  });
}

/** Takes a picture's style, or leaves it where it has none, so that it can be undone. */
export function takeStyle(style: Style | undefined): void {
  const { on, settings } = useStyle.getState();
  const next: StyleState = { on: style !== undefined, settings: style ? styleSettingsOf(style) : settings };
  useStyle.setState(next);
  record({
    label: 'Style of the picture',
    undo: () => useStyle.setState({ on, settings }),
    redo: () => useStyle.setState(next),
  });
}

export function editStyle(change: Partial<StyleSettings>): void {
  const { settings } = useStyle.getState();
  const put = (fields: Partial<StyleSettings>) =>
    useStyle.setState((state) => ({ settings: { ...state.settings, ...fields } }));
  const former = Object.fromEntries(Object.keys(change).map((key) => [key, settings[key as keyof StyleSettings]]));
  put(change);
  record({ label: 'Style', key: `style ${Object.keys(change)}`, undo: () => put(former), redo: () => put(change) });
}
