import type { Job, JobOrigin, JobPicture, JobState } from '../../../contract/queue.ts';
import type { Row } from '../../database/database.ts';

/** Columns of a job that its {@link Job} is made of. */
export const jobColumns = `id, kind, group_id, position, state, request, output, origin, wanted, attempts, engine_deaths,
  reduced, asked, note, warnings, error, progress, created, started, ended`;

const json = <T>(value: unknown): T => JSON.parse(String(value)) as T;
const numberOrNull = (value: unknown): number | null => (value === null ? null : Number(value));

/** What was written was checked then; it is not checked again on the way out. */
export function toJob(row: Row, pictures: JobPicture[]): Job {
  return {
    id: Number(row.id),
    kind: row.kind as Job['kind'],
    group: numberOrNull(row.group_id),
    position: Number(row.position),
    state: row.state as JobState,
    request: json<Job['request']>(row.request),
    output: json<Job['output']>(row.output),
    origin: json<JobOrigin>(row.origin),
    pictures,
    wanted: Number(row.wanted),
    attempts: Number(row.attempts),
    engineDeaths: Number(row.engine_deaths),
    reduced: row.reduced === 1,
    asked: row.asked as Job['asked'],
    note: String(row.note),
    warnings: json<Job['warnings']>(row.warnings),
    error: row.error === null ? null : json<Job['error']>(row.error),
    progress: row.progress === null ? null : json<Job['progress']>(row.progress),
    created: Number(row.created),
    started: numberOrNull(row.started),
    ended: numberOrNull(row.ended),
  };
}

export function toPicture(row: Row): JobPicture {
  return {
    image: Number(row.image),
    path: String(row.path),
    seed: Number(row.seed),
    width: Number(row.width),
    height: Number(row.height),
    bytes: Number(row.bytes),
    sha256: String(row.sha256),
  };
}
