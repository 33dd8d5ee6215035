import { isTransient, type RequestOptions, type RetryOptions, reasonOf, withRetries } from '../../download/index.js';

/** How a source may be queried. */
export type QueryOptions = RequestOptions &
  RetryOptions & {
    onPage?: (slides: number, total: number | undefined) => void;
    /** Called before each wait after which the source is queried again. */
    onListRetry?: (address: string, waitSeconds: number, reason: string) => void;
  };

/**
 * Asks a source for a part of its list, again where that may help; each wait is told.
 *
 * @param about the address, for people
 * @param part tells the part from others, so that their waits are spread
 * @throws Error that names the address and what to do, when it fails to the last for a reason that may pass; other errors
 *   as they are
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
      `${about} could not be listed in ${attempts} attempts: ${reasonOf(error)}. Check that this machine ` +
        'reaches that host (network, proxy, firewall), or name a mirror (--endpoint URL), and run it again',
      { cause: error },
    );
  }
}
