import { create } from 'zustand';
import { publishedStyle, RequestFields, Style } from '../../contract/request.ts';
import { type Draft, useDraft } from './draft.ts';
import { record } from './history.ts';

/** How a style is drawn; its content is the picture on the canvas. */
export type StyleSettings = Omit<Style, 'content'>;

interface StyleState {
  /** The regions are parts of the picture that take their adapters' style, instead of being drawn anew. */
  on: boolean;
  settings: StyleSettings;
  /** The form before the style was begun, which leaving it gives back. */
  former: StyleDraft | null;
}

/** What of the form a style begins with values of its own. */
type StyleDraft = Pick<Draft, 'steps' | 'guidance' | 'scheduler'>;

export function styleSettingsOf({ content: _, ...settings }: Style): StyleSettings {
  return settings;
}

const storageKey = 'impasto.style';

function stored(): StyleState {
  try {
    const kept = JSON.parse(globalThis.localStorage?.getItem(storageKey) ?? '{}') as Partial<StyleState>;
    const { steps, guidance, scheduler } = RequestFields.parse({ prompt: '', ...kept.former });
    return {
      on: kept.on === true,
      settings: styleSettingsOf(Style.parse({ ...kept.settings, content: '.' })),
      former: kept.former ? { steps, guidance, scheduler } : null,
    };
  } catch {
    // Written by another version.
    return { on: false, settings: styleSettingsOf(Style.parse({ content: '.' })), former: null };
  }
}

export const useStyle = create<StyleState>(stored);
useStyle.subscribe((state) => globalThis.localStorage?.setItem(storageKey, JSON.stringify(state)));

/** As DiffStyler was published: what the settings become when a style is begun. */
const published = { steps: 50, guidance: 10.5, inversionSteps: 999 } as const;
export const publishedInversion = published.inversionSteps;

/** Whether it is drawn as its authors draw; what lies over it afterwards is another matter. */
export function isAsPublished(settings: StyleSettings): boolean {
  return Object.entries(publishedStyle).every(([name, value]) => settings[name as keyof StyleSettings] === value);
}

/** The guidance scale of a form that nobody and no model has set; a model that wants another one is ruined by the published one. */
const usualGuidance = RequestFields.parse({ prompt: '' }).guidance.scale;

/** Begins a style with the settings that it was published with; undone as one. */
export function beginStyle(): void {
  if (useStyle.getState().on) return;
  const { steps, guidance, scheduler } = useDraft.getState().draft;
  turn(
    'Style through masks',
    { on: true, former: { steps, guidance, scheduler } },
    {
      steps: published.steps,
      ...(guidance.scale === usualGuidance ? { guidance: { ...guidance, scale: published.guidance } } : {}),
      scheduler: { name: 'ddim' },
    },
  );
}

/** Leaves the style, and with it those of its settings that nobody has changed since; undone as one. */
export function leaveStyle(): void {
  const { on, former } = useStyle.getState();
  if (!on) return;
  const { steps, guidance, scheduler } = useDraft.getState().draft;
  turn(
    'Leave the style',
    { on: false, former: null },
    {
      ...(former && steps === published.steps ? { steps: former.steps } : {}),
      ...(former && guidance.scale === published.guidance
        ? { guidance: { ...guidance, scale: former.guidance.scale } }
        : {}),
      ...(former && scheduler.name === 'ddim' ? { scheduler: former.scheduler } : {}),
    },
  );
}

function turn(label: string, style: Pick<StyleState, 'on' | 'former'>, fields: Partial<Draft>): void {
  const { on, former } = useStyle.getState();
  const { draft } = useDraft.getState();
  const before = Object.fromEntries(Object.keys(fields).map((key) => [key, draft[key as keyof Draft]]));
  const put = (style: Partial<StyleState>, fields: Partial<Draft>) => {
    useStyle.setState(style);
    useDraft.setState(({ draft }) => ({ draft: { ...draft, ...fields } }));
  };
  put(style, fields);
  record({ label, undo: () => put({ on, former }, before), redo: () => put(style, fields) });
}

/** Takes a picture's style, or leaves it where it has none, so that it can be undone. */
export function takeStyle(style: Style | undefined): void {
  const before = useStyle.getState();
  const settings = style ? styleSettingsOf(style) : before.settings;
  // The form is the picture's from here on.
  const next: StyleState = { on: style !== undefined, settings, former: null };
  useStyle.setState(next);
  record({
    label: 'Style of the picture',
    undo: () => useStyle.setState(before),
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
