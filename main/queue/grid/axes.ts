import { ImpastoError } from '../../../contract/errors.ts';
import type { GridAxis, GridSpec } from '../../../contract/queue.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import { assertField, fieldValue, getField, withFields } from '../batch/request-fields.ts';

/** Place in a grid: index on x, y and z. */
export type Cell = [x: number, y: number, z: number];

export interface GridCell {
  cell: Cell;
  request: RenderRequest;
}

/** More cells than this are a slip of the hand. */
const mostCells = 10_000;

/** What changing a field costs, most first: a model is loaded in seconds, a seed costs nothing. */
const costs: readonly RegExp[] = [
  /^(model|provider)$/,
  /^vae\.path$/,
  /^adapters\b/,
  /^(width|height)$/,
  /^(prompt|negativePrompt|clipSkip|embeddings\b.*|sizeConditioning\b.*)$/,
  /^(init|mask|outpaint)\b/,
  /^(scheduler|steps|guidance)\b/,
];

/** 0 for the field that costs most to change. */
export function costRank(field: string): number {
  const rank = costs.findIndex((pattern) => pattern.test(field));
  return rank < 0 ? costs.length : rank;
}

/**
 * The jobs of a grid in the order in which they are best drawn: the axis that costs most to change is outermost. One
 * picture a cell.
 * @throws ImpastoError `REQUEST_INVALID`, naming the field and the value
 */
export function gridCells(request: RenderRequest, grid: GridSpec): GridCell[] {
  const axes = [grid.x, grid.y, grid.z];
  const values = axes.map((axis) => (axis ? axisValues(request, axis) : [undefined]));
  const fields = axes.flatMap((axis) => (axis ? [`${axis.field}\n${axis.replace ?? ''}`] : []));
  if (new Set(fields).size < fields.length) {
    throw new ImpastoError('REQUEST_INVALID', 'Two axes of the grid change the same field.', 'Choose another field.');
  }
  const count = values.reduce((product, list) => product * list.length, 1);
  if (count > mostCells) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `The grid has ${count} cells, and at most ${mostCells} are allowed.`,
      'Take out some values.',
    );
  }
  // Sorting is stable: where two cost the same, z is outside y and y outside x.
  const order = [2, 1, 0].toSorted((a, b) => costRank(axes[a]?.field ?? '') - costRank(axes[b]?.field ?? ''));
  const [outer, middle, inner] = order as [number, number, number];
  const cells: GridCell[] = [];
  for (const i of (values[outer] ?? []).keys()) {
    for (const j of (values[middle] ?? []).keys()) {
      for (const k of (values[inner] ?? []).keys()) {
        const cell: Cell = [0, 0, 0];
        cell[outer] = i;
        cell[middle] = j;
        cell[inner] = k;
        cells.push({ cell, request: cellRequest(request, axes, values, cell) });
      }
    }
  }
  return cells;
}

function cellRequest(
  request: RenderRequest,
  axes: readonly (GridAxis | undefined)[],
  values: readonly (readonly unknown[])[],
  cell: Cell,
): RenderRequest {
  let changed: RenderRequest = { ...request, batch: 1 };
  for (const [index, axis] of axes.entries()) {
    if (!axis) continue;
    const value = values[index]?.[cell[index] as number];
    // Search and replace goes on from what another axis has made of the field.
    const replaced = axis.replace ? replaceText(changed, axis.field, axis.replace, String(value)) : value;
    changed = withFields(changed, [[axis.field, replaced]]);
  }
  return changed;
}

function axisValues(request: RenderRequest, { field, replace, values }: GridAxis): unknown[] {
  assertField(field);
  if (field === 'batch') {
    throw new ImpastoError('REQUEST_INVALID', 'A cell of a grid holds one picture.', 'Lay an axis over seed instead.');
  }
  if (replace !== undefined) {
    const text = getField(request, field);
    if (typeof text !== 'string' || !text.includes(replace)) {
      throw new ImpastoError(
        'REQUEST_INVALID',
        `${JSON.stringify(replace)} is to be replaced in ${field}, and does not occur there.`,
        'Use words that the field holds.',
      );
    }
    return values.map(String);
  }
  return values.map((value) => (typeof value === 'string' ? fieldValue(field, value) : value));
}

function replaceText(request: RenderRequest, field: string, search: string, value: string): string {
  return String(getField(request, field)).replaceAll(search, () => value);
}

/** What stands beside a row or a column of the sheet. */
export function axisLabels(axis: GridAxis): string[] {
  const name = axis.label ?? (axis.replace === undefined ? axis.field : '');
  return axis.values.map((value) => {
    const shown = Array.isArray(value) ? value.join(', ') : value === null ? 'default' : fileName(String(value));
    return name ? `${name}: ${shown}` : shown;
  });
}

/** A model's path is too long for a label; its name tells enough. */
function fileName(text: string): string {
  return /^(?:[a-z]:)?[\\/]/i.test(text) ? (text.split(/[\\/]/).findLast(Boolean) ?? text) : text;
}
