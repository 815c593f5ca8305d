import { brushSizes, hasMargins, isPaintTool, noMargins, type PaintTool, useCanvas } from '../canvas/canvas-state.ts';
import { setMargins } from '../canvas/frame-drag.ts';
import { addRegion, isEmpty, maskId, mostRegions, paintedLayer, stepLayer, useLayers } from '../canvas/layers.ts';
import { raster } from '../canvas/raster/client.ts';
import type { LayerEdit } from '../canvas/raster/protocol.ts';
import { currentStage } from '../canvas/stage.ts';
import { cancelAllJobs, cancelJob } from '../queue/queue-edits.ts';
import { edit, useDraft } from '../state/draft.ts';
import { redo, undo, useHistory } from '../state/history.ts';
import { runningJob, useJobs, waitingJobs } from '../state/jobs.ts';
import {
  chooseNone,
  meantPictures,
  removePictures,
  starPictures,
  stepPicture,
  usePictures,
} from '../state/pictures.ts';
import { beginStyle, leaveStyle, useStyle } from '../state/style.ts';
import { shownTheme, useView } from '../state/view.ts';
import type { Transport } from '../transport/transport.ts';
import { draw } from './draw.ts';
import type { KeyName } from './keys.ts';
import { type RecallPart, recall } from './recall.ts';

/** In the order in which they are shown. */
export const actionGroups = ['Draw', 'Picture', 'Canvas', 'Tools', 'Layer', 'Window'] as const;

/** Something a person can do. Buttons, the command menu and keys all come from here. */
export interface Action {
  id: string;
  label: string;
  group: (typeof actionGroups)[number];
  /** Keys unless the person has bound others. */
  keys: readonly KeyName[];
  /** Works while text is typed too. */
  whileTyping?: boolean;
  enabled?(): boolean;
  perform(transport: Transport): void | Promise<void>;
}

const canvas = () => useCanvas.getState();
const jobs = () => useJobs.getState();
const hasPicture = () => canvas().shown !== null;
const hasRequest = () => canvas().shown?.request != null;
/** Whether there is a layer to paint on. */
const canPaint = () => paintedLayer() !== null;
const layerHolds = () => {
  const layer = paintedLayer();
  return layer !== null && !isEmpty(layer);
};

function recallAction<Part extends RecallPart>(
  part: Part,
  label: string,
  key: KeyName,
): Action & { id: `recall-${Part}` } {
  return {
    id: `recall-${part}`,
    label,
    group: 'Picture',
    keys: [key],
    enabled: hasRequest,
    perform: () => {
      const request = canvas().shown?.request;
      if (request) return recall(request, part);
    },
  };
}

function resizeBrush(factor: number): void {
  const { brushSize } = canvas();
  const next = factor > 1 ? Math.max(brushSize + 1, brushSize * factor) : Math.min(brushSize - 1, brushSize * factor);
  useCanvas.setState({ brushSize: Math.round(Math.min(brushSizes.max, Math.max(brushSizes.min, next))) });
}

function toolAction<Tool extends PaintTool>(tool: Tool, label: string, key: KeyName): Action & { id: Tool } {
  return {
    id: tool,
    label,
    group: 'Tools',
    keys: [key],
    enabled: canPaint,
    perform: () => {
      useCanvas.setState({ tool, comparing: false });
      showPaintedLayer();
    },
  };
}

/** What is painted on has to be seen. */
function showPaintedLayer(): void {
  const layer = paintedLayer();
  if (layer === null) return;
  if (layer === maskId) useCanvas.setState({ maskShown: true });
  useLayers.setState(({ regions }) => ({
    active: layer,
    regions: regions.some(({ id, shown }) => id === layer && !shown)
      ? regions.map((one) => (one.id === layer ? { ...one, shown: true } : one))
      : regions,
  }));
}

/** Changes the whole of the layer that is painted on. */
function editLayer(label: string, change: LayerEdit): void {
  const layer = paintedLayer();
  if (layer !== null) raster.edit(label, layer, change);
}

function harden(by: number): void {
  useCanvas.setState(({ hardness }) => ({ hardness: Math.round(Math.min(1, Math.max(0, hardness + by)) * 100) / 100 }));
}

const meansPictures = () => meantPictures().length > 0;
const comparesTwo = () => usePictures.getState().chosen.size === 2;

export const actions = [
  {
    id: 'draw',
    label: 'Draw',
    group: 'Draw',
    keys: ['Ctrl+Enter'],
    whileTyping: true,
    perform: (transport) => draw(transport, 'end'),
  },
  {
    id: 'draw-front',
    label: 'Draw next, before all others',
    group: 'Draw',
    keys: ['Ctrl+Shift+Enter'],
    whileTyping: true,
    perform: (transport) => draw(transport, 'front'),
  },
  {
    id: 'batch',
    label: 'Batch and grid…',
    group: 'Draw',
    keys: ['Shift+B'],
    perform: () => useView.setState({ dialog: 'batch' }),
  },
  {
    id: 'cancel',
    label: 'Cancel the picture that is drawn',
    group: 'Draw',
    keys: ['Shift+X'],
    enabled: () => runningJob(jobs().jobs) !== undefined,
    perform: async (transport) => {
      const job = runningJob(jobs().jobs);
      if (job) await cancelJob(transport, job.id);
    },
  },
  {
    id: 'pause',
    label: 'Pause or resume the queue',
    group: 'Draw',
    keys: ['Shift+P'],
    perform: async (transport) => {
      if (jobs().state?.paused) await transport.call('queue.resume', {});
      else await transport.call('queue.pause', {});
    },
  },
  {
    id: 'cancel-all',
    label: 'Cancel everything in the queue',
    group: 'Draw',
    keys: [],
    enabled: () => waitingJobs(jobs().jobs).length > 0,
    perform: cancelAllJobs,
  },
  {
    id: 'undo',
    label: 'Undo',
    group: 'Window',
    keys: ['Ctrl+Z'],
    whileTyping: true,
    enabled: () => useHistory.getState().past.length > 0,
    perform: undo,
  },
  {
    id: 'redo',
    label: 'Redo',
    group: 'Window',
    keys: ['Ctrl+Shift+Z', 'Ctrl+Y'],
    whileTyping: true,
    enabled: () => useHistory.getState().future.length > 0,
    perform: redo,
  },
  {
    id: 'move',
    label: 'Move',
    group: 'Canvas',
    keys: ['V'],
    perform: () => useCanvas.setState({ tool: 'move' }),
  },
  {
    id: 'fit',
    label: 'Fit the picture',
    group: 'Canvas',
    keys: ['0'],
    perform: () => currentStage()?.fit(),
  },
  {
    id: 'actual-size',
    label: 'Actual size',
    group: 'Canvas',
    keys: ['1'],
    perform: () => currentStage()?.zoomTo(1 / devicePixelRatio),
  },
  {
    id: 'zoom-in',
    label: 'Zoom in',
    group: 'Canvas',
    keys: ['+', '=', 'Shift++'],
    perform: () => currentStage()?.zoomBy(1.25),
  },
  {
    id: 'zoom-out',
    label: 'Zoom out',
    group: 'Canvas',
    keys: ['-'],
    perform: () => currentStage()?.zoomBy(0.8),
  },
  {
    id: 'compare',
    label: 'Compare before and after',
    group: 'Canvas',
    keys: ['C'],
    enabled: () => canvas().before !== null,
    perform: () => useCanvas.setState(({ comparing }) => ({ comparing: !comparing })),
  },
  {
    id: 'frame',
    label: 'Frame: drag it outward to outpaint',
    group: 'Tools',
    keys: ['O'],
    enabled: hasPicture,
    perform: () => useCanvas.setState({ tool: 'frame', comparing: false }),
  },
  {
    id: 'reset-frame',
    label: 'Put the frame back on the picture',
    group: 'Tools',
    keys: ['Shift+O'],
    enabled: () => hasMargins(canvas().margins),
    perform: () => setMargins(noMargins),
  },
  toolAction('brush', 'Brush', 'B'),
  toolAction('eraser', 'Eraser', 'E'),
  toolAction('lasso', 'Lasso', 'L'),
  toolAction('rectangle', 'Rectangle', 'M'),
  toolAction('fill', 'Fill what the layer encloses', 'K'),
  { ...toolAction('colour', 'Select by colour', 'W'), enabled: () => hasPicture() && canPaint() },
  { ...toolAction('click', 'Select by clicks', 'Shift+W'), enabled: () => hasPicture() && canPaint() },
  { id: 'smaller', label: 'Smaller brush', group: 'Tools', keys: ['['], perform: () => resizeBrush(0.85) },
  { id: 'larger', label: 'Larger brush', group: 'Tools', keys: [']'], perform: () => resizeBrush(1.18) },
  { id: 'softer', label: 'Softer brush', group: 'Tools', keys: ['Shift+{'], perform: () => harden(-0.1) },
  { id: 'harder', label: 'Harder brush', group: 'Tools', keys: ['Shift+}'], perform: () => harden(0.1) },
  {
    id: 'take-away',
    label: 'Shapes add or take away',
    group: 'Tools',
    keys: ['Shift+T'],
    enabled: () => isPaintTool(canvas().tool),
    perform: () => useCanvas.setState(({ takeAway }) => ({ takeAway: !takeAway })),
  },
  {
    id: 'add-region',
    label: 'Add a region',
    group: 'Layer',
    keys: ['N'],
    enabled: () => useLayers.getState().regions.length < mostRegions,
    perform: addRegion,
  },
  {
    id: 'style',
    label: 'Style through masks',
    group: 'Layer',
    keys: ['Shift+S'],
    enabled: hasPicture,
    perform: () => {
      if (useStyle.getState().on) return leaveStyle();
      beginStyle();
      if (useLayers.getState().regions.length === 0) addRegion();
    },
  },
  { id: 'layer-above', label: 'Layer above', group: 'Layer', keys: ['PageUp'], perform: () => stepLayer(-1) },
  { id: 'layer-below', label: 'Layer below', group: 'Layer', keys: ['PageDown'], perform: () => stepLayer(1) },
  {
    id: 'invert-mask',
    label: 'Invert the layer',
    group: 'Layer',
    keys: ['Shift+V'],
    enabled: canPaint,
    perform: () => editLayer('Invert', { kind: 'invert' }),
  },
  {
    id: 'clear-mask',
    label: 'Clear the layer',
    group: 'Layer',
    keys: ['Shift+Backspace'],
    enabled: layerHolds,
    perform: () => editLayer('Clear', { kind: 'clear' }),
  },
  {
    id: 'grow',
    label: 'Grow the layer',
    group: 'Layer',
    keys: ['Shift+>'],
    enabled: layerHolds,
    perform: () => editLayer('Grow', { kind: 'grow', by: canvas().growth }),
  },
  {
    id: 'shrink',
    label: 'Shrink the layer',
    group: 'Layer',
    keys: ['Shift+<'],
    enabled: layerHolds,
    perform: () => editLayer('Shrink', { kind: 'grow', by: -canvas().growth }),
  },
  recallAction('all', 'Recall all settings', 'A'),
  recallAction('seed', 'Recall seed', 'S'),
  recallAction('prompts', 'Recall prompts', 'P'),
  recallAction('size', 'Recall size', 'D'),
  recallAction('remix', 'Remix: all but the seed', 'R'),
  {
    id: 'newer',
    label: 'Newer picture',
    group: 'Picture',
    keys: ['ArrowLeft'],
    perform: (transport) => stepPicture(transport, -1),
  },
  {
    id: 'older',
    label: 'Older picture',
    group: 'Picture',
    keys: ['ArrowRight'],
    perform: (transport) => stepPicture(transport, 1),
  },
  {
    id: 'star',
    label: 'Star, or take the star off',
    group: 'Picture',
    keys: ['.'],
    enabled: meansPictures,
    perform: (transport) => starPictures(transport),
  },
  {
    id: 'export',
    label: 'Export…',
    group: 'Picture',
    keys: ['Ctrl+S'],
    whileTyping: true,
    enabled: meansPictures,
    perform: () => useView.setState({ dialog: 'export' }),
  },
  {
    id: 'compare-pictures',
    label: 'Compare the two chosen pictures',
    group: 'Picture',
    keys: ['Shift+C'],
    enabled: comparesTwo,
    perform: () => useView.setState({ dialog: 'compare-pictures' }),
  },
  {
    id: 'delete',
    label: 'Delete: to the bin',
    group: 'Picture',
    keys: ['Delete'],
    enabled: meansPictures,
    perform: (transport) => removePictures(transport),
  },
  {
    id: 'choose-none',
    label: 'Choose no pictures',
    group: 'Picture',
    keys: ['Escape'],
    enabled: () => usePictures.getState().chosen.size > 0,
    perform: chooseNone,
  },
  {
    id: 'swap-size',
    label: 'Swap width and height',
    group: 'Draw',
    keys: ['X'],
    perform: () => {
      const { width, height } = useDraft.getState().draft;
      if (width !== undefined && height !== undefined) edit('Swap size', { width: height, height: width });
    },
  },
  {
    id: 'prompt',
    label: 'Go to the prompt',
    group: 'Window',
    keys: ['/'],
    perform: () => document.querySelector<HTMLElement>('#prompt')?.focus(),
  },
  {
    id: 'panels',
    label: 'Show or hide the panels',
    group: 'Window',
    keys: ['F'],
    perform: () => useView.setState(({ panels }) => ({ panels: !panels })),
  },
  {
    id: 'gallery',
    label: 'Show the gallery',
    group: 'Window',
    keys: ['G'],
    perform: () => useView.setState({ side: 'gallery', panels: true }),
  },
  {
    id: 'queue',
    label: 'Show the queue',
    group: 'Window',
    keys: ['Q'],
    perform: () => useView.setState({ side: 'queue', panels: true }),
  },
  {
    id: 'hub',
    label: 'Download a model…',
    group: 'Window',
    keys: [],
    perform: () => useView.setState({ dialog: 'hub' }),
  },
  {
    id: 'theme',
    label: 'Dark or light',
    group: 'Window',
    keys: [],
    perform: async (transport) => {
      const theme = shownTheme(useView.getState().settings?.theme ?? 'system') === 'dark' ? 'light' : 'dark';
      await transport.call('settings.set', { theme });
    },
  },
  {
    id: 'preferences',
    label: 'Preferences…',
    group: 'Window',
    keys: ['Ctrl+,'],
    whileTyping: true,
    perform: () => useView.setState({ dialog: 'preferences' }),
  },
  {
    id: 'commands',
    label: 'All commands',
    group: 'Window',
    keys: ['Ctrl+K'],
    whileTyping: true,
    perform: () => useView.setState({ dialog: 'commands' }),
  },
  {
    id: 'keys',
    label: 'Keys',
    group: 'Window',
    keys: ['Shift+?'],
    perform: () => useView.setState({ dialog: 'keys' }),
  },
] as const satisfies readonly Action[];

export type ActionId = (typeof actions)[number]['id'];

const byId = new Map<string, Action>(actions.map((action) => [action.id, action]));

export function actionOf(id: ActionId): Action {
  const action = byId.get(id);
  if (!action) throw new RangeError(`there is no action ${id}`);
  return action;
}

/** The keys of an action now: the person's own, or its usual ones. */
export function keysOf(action: Action): readonly KeyName[] {
  const own = useView.getState().settings?.shortcuts[action.id];
  return own === undefined ? action.keys : own === '' ? [] : [own];
}

/** The action that a key stands for; one that the person has bound goes before a usual one. */
export function actionFor(key: KeyName): Action | undefined {
  const shortcuts = useView.getState().settings?.shortcuts ?? {};
  const all: readonly Action[] = actions;
  return all.find(({ id }) => shortcuts[id] === key) ?? all.find((action) => keysOf(action).includes(key));
}
