/**
 * Every failure a person can meet, by code. A code is stable: the UI, the CLI's JSON lines and the tests speak of it.
 */
export const errorCodes = [
  // Files and weights
  'FILE_NOT_FOUND',
  'FILE_UNREADABLE',
  'PATH_ESCAPES',
  'NOT_SAFETENSORS',
  'PICKLE_REFUSED',
  'HEADER_INVALID',
  'HEADER_TOO_LARGE',
  'TENSOR_OUT_OF_RANGE',
  'TENSOR_OVERLAP',
  'TENSOR_DUPLICATE',
  'TENSOR_DTYPE',
  'TENSOR_SHAPE',
  'TENSOR_MISSING',
  'NOT_A_CHECKPOINT',
  'IS_ADAPTER',
  'UNKNOWN_ARCHITECTURE',
  'PART_MISSING',
  'CONFIG_INVALID',
  // Adapters
  'ADAPTER_WRONG_BASE',
  'ADAPTER_INVALID',
  'ADAPTER_DUPLICATE',
  // Requests
  'REQUEST_INVALID',
  'PROMPT_TOO_LONG',
  'IMAGE_UNREADABLE',
  'IMAGE_TOO_LARGE',
  'MASK_INVALID',
  'NO_METADATA',
  // The library
  'NOT_IN_LIBRARY',
  'BIN_UNAVAILABLE',
  'HUB_REFERENCE',
  'HUB_NOT_FOUND',
  'HUB_REFUSED',
  'HUB_UNREACHABLE',
  'LICENCE_NOT_ACCEPTED',
  'CHECKSUM_MISMATCH',
  // Running
  'PROVIDER_UNAVAILABLE',
  'OUT_OF_MEMORY',
  'NAN_LATENT',
  'CANCELLED',
  'ENGINE_BUSY',
  'ENGINE_DIED',
  'ENGINE_ERROR',
  // The queue
  'JOB_NOT_FOUND',
  'JOB_STATE',
  'LEASE_LOST',
  'DATABASE_DAMAGED',
  'DATABASE_NEWER',
  'DATABASE_BUSY',
  // Writing
  'DISK_FULL',
  'WRITE_FAILED',
  'FILE_EXISTS',
  // Faces
  'ROUTE_UNKNOWN',
  'NOT_ALLOWED',
  'BODY_TOO_LARGE',
  'BODY_INVALID',
  'BACKEND_DIED',
  'INTERNAL',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** The wire form of an {@link ImpastoError}: what crosses a process or a socket. */
export interface ErrorRecord {
  code: ErrorCode;
  message: string;
  remedy: string;
}

/**
 * One clear error: a stable code, what was wrong (`message`) and what the person can do (`remedy`).
 */
export class ImpastoError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string;

  constructor(code: ErrorCode, message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ImpastoError';
    this.code = code;
    this.remedy = remedy;
  }

  toRecord(): ErrorRecord {
    return { code: this.code, message: this.message, remedy: this.remedy };
  }

  static fromRecord(record: ErrorRecord): ImpastoError {
    return new ImpastoError(record.code, record.message, record.remedy);
  }
}

/** Any thrown value as an {@link ImpastoError}; an unforeseen one becomes `INTERNAL` and keeps its cause. */
export function asImpastoError(thrown: unknown): ImpastoError {
  if (thrown instanceof ImpastoError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new ImpastoError('INTERNAL', message, 'This is a defect in Impasto: please report it with the log.', {
    cause: thrown,
  });
}
