/** A temporary failure, which may be retried. */
export class TransferError extends Error {
  override name = 'TransferError';
  constructor(
    message: string,
    /** The server's Retry-After. */
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }
}

/** A complete download with wrong content. One retry from the first byte may help. */
export class WrongContentError extends Error {
  override name = 'WrongContentError';
}

/** The message of any thrown value; codes of system errors are explained. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ECONNREFUSED':
      return 'the server refuses connections';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'the connection was dropped';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return "the server's name was not found; is this machine online?";
    case 'ETIMEDOUT':
      return 'the server does not answer';
    default:
      return message;
  }
}

const transient = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['HPE_INVALID_CONSTANT', 'HPE_INVALID_CHUNK_SIZE', 'ERR_STREAM_PREMATURE_CLOSE'],
]);

/** Whether a retry may help. */
export function isTransient(error: unknown): boolean {
  return error instanceof TransferError || transient.has((error as NodeJS.ErrnoException).code ?? '');
}
