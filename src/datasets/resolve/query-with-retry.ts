import { isTransient, type RequestOptions, type RetryOptions, reasonOf, withRetries } from '../../download/index.js';

/** Options for querying a source. */
export type QueryOptions = RequestOptions &
  RetryOptions & {
    onPage?: (slides: number, total: number | undefined) => void;
    /** Called before each wait after which the source is queried again. */
    onListRetry?: (address: string, waitSeconds: number, reason: string) => void;
  };

/**
 * Requests a part of a source's list, with retries; each wait is reported.
 *
 * @param about the address, for messages
 * @param part identifies the part, so that waits are spread
 * @throws Error that names the address and the solution, when all attempts fail for a temporary reason; other errors
 *   unchanged
 */
export async function queryWithRetry<T>(
  about: string,
  part: string | number,
  work: () => Promise<T>,
  options: QueryOptions,
): Promise<T> {
  const { signal, attempts, onListRetry } = options;
  try {
    return await withRetries(`${about} ${part}`, work, options, {
      signal,
      onRetry: (_, waitSeconds, reason) => onListRetry?.(about, waitSeconds, reason),
    });
  } catch (error) {
    if (signal?.aborted || !isTransient(error)) throw error;
    throw new Error(
      `${about} could not be listed in ${attempts} attempts: ${reasonOf(error)}. Check whether this machine ` +
        'reaches that host (network, proxy, firewall), or name a mirror (--endpoint URL), and run the command again',
      { cause: error },
    );
  }
}
