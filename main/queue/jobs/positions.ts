import type { Place } from '../../../contract/queue.ts';
import type { Database } from '../../database/database.ts';
import { jobNotFound } from './job-errors.ts';

/**
 * Positions are whole numbers with gaps, so that a job is moved by writing one row. Where a gap is used up, the
 * neighbours are spread out again: as few as give room.
 */

/** Distance between two jobs added one after the other; room for 20 moves into the same gap. */
const gap = 2 ** 20;

// Named, since the planner cannot know that all but a few rows may have ended, or none.
const waiting = 'FROM jobs INDEXED BY jobs_waiting WHERE ended IS NULL';

/**
 * Positions for `count` jobs, ascending. To be called in the transaction that uses them, with the jobs that are being
 * moved taken out of the order by `moving`.
 * @throws ImpastoError `JOB_NOT_FOUND` where a neighbour is not in the queue
 */
export function positionsAt(database: Database, place: Place, count: number, moving: ReadonlySet<number>): number[] {
  const first = Number(database.get(`SELECT min(position) AS p ${waiting}`)?.p ?? 0);
  const last = Number(database.get(`SELECT max(position) AS p ${waiting}`)?.p ?? 0);
  if (place === 'end') return Array.from({ length: count }, (_, index) => last + gap * (index + 1));
  if (place === 'front') return Array.from({ length: count }, (_, index) => first - gap * (count - index));
  const anchor = 'before' in place ? place.before : place.after;
  const at = database.get('SELECT position FROM jobs WHERE id = ? AND ended IS NULL', anchor)?.position;
  if (at === undefined) throw jobNotFound(anchor);
  const position = Number(at);
  if ('before' in place) {
    const lower = neighbour(database, position, anchor, 'before', moving);
    if (lower === undefined) return positionsAt(database, 'front', count, moving);
    return between(database, lower, { id: anchor, position }, count, moving);
  }
  const upper = neighbour(database, position, anchor, 'after', moving);
  if (upper === undefined) return positionsAt(database, 'end', count, moving);
  return between(database, { id: anchor, position }, upper, count, moving);
}

interface Neighbour {
  id: number;
  position: number;
}

function neighbour(
  database: Database,
  position: number,
  id: number,
  side: 'before' | 'after',
  moving: ReadonlySet<number>,
): Neighbour | undefined {
  return rows(database, position, id, side, moving, 1)[0];
}

/** Up to `limit` jobs next to a place in the order, nearest first. */
function rows(
  database: Database,
  position: number,
  id: number,
  side: 'before' | 'after',
  moving: ReadonlySet<number>,
  limit: number,
): Neighbour[] {
  const [compare, order] = side === 'before' ? ['<', 'DESC'] : ['>', 'ASC'];
  const found = database.all(
    `SELECT id, position ${waiting} AND (position, id) ${compare} (?, ?)
     ORDER BY position ${order}, id ${order} LIMIT ?`,
    position,
    id,
    limit + moving.size,
  );
  return found
    .map((row) => ({ id: Number(row.id), position: Number(row.position) }))
    .filter((row) => !moving.has(row.id))
    .slice(0, limit);
}

function between(
  database: Database,
  lower: Neighbour,
  upper: Neighbour,
  count: number,
  moving: ReadonlySet<number>,
): number[] {
  const step = Math.floor((upper.position - lower.position) / (count + 1));
  if (step >= 1) return Array.from({ length: count }, (_, index) => lower.position + step * (index + 1));
  for (let size = 32; ; size *= 4) {
    const after = rows(database, lower.position, lower.id, 'after', moving, size + 1);
    const spread = after.slice(0, size);
    const end = after[size]?.position ?? lower.position + gap * (count + spread.length + 1);
    const room = Math.floor((end - lower.position) / (count + spread.length + 1));
    // Some room must be left, or the next move into this gap spreads the same neighbours again.
    if (room < 2 ** 10 && after.length > size) continue;
    spread.forEach(({ id }, index) => {
      database.run('UPDATE jobs SET position = ? WHERE id = ?', lower.position + room * (count + index + 1), id);
    });
    return Array.from({ length: count }, (_, index) => lower.position + room * (index + 1));
  }
}
