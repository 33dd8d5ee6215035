/** Something that may go better when it is tried again. */
export class TransferError extends Error {
  override name = 'TransferError';
  constructor(
    message: string,
    /** The server's own word on when to come back. */
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }
}

/** What arrived whole is not what was announced. Trying again from the first byte may help, once. */
export class WrongContentError extends Error {
  override name = 'WrongContentError';
}

/** The message of anything thrown; system errors get their code in words that a user can act on. */
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

/** Whether trying again may help. */
export function isTransient(error: unknown): boolean {
  return error instanceof TransferError || transient.has((error as NodeJS.ErrnoException).code ?? '');
}
