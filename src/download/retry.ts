import { setTimeout as sleep } from 'node:timers/promises';
import { key } from '../base/key.js';
import { isTransient, reasonOf, type TransferError } from './failures.js';

export interface RetryOptions {
  /** Total number of attempts. */
  attempts: number;
  /** Wait before the second attempt, s; it doubles each time. */
  backoffSeconds: number;
  /** Maximum wait, also if the server asks for more. */
  longestWaitSeconds: number;
}

export const retryDefaults: RetryOptions = { attempts: 6, backoffSeconds: 1, longestWaitSeconds: 300 };

/**
 * Retries temporary failures, with waits that double, jittered by up to a quarter so that many clients do not retry at
 * once, and no earlier than the server's Retry-After.
 *
 * @param name seeds the jitter
 */
export async function withRetries<T>(
  name: string,
  work: (attempt: number) => Promise<T>,
  options: RetryOptions,
  watch: {
    onRetry?: (attempt: number, waitSeconds: number, reason: string) => void;
    /** Whether the failed attempt transferred enough to reset the count of attempts. */
    progressed?: () => boolean;
    signal?: AbortSignal;
  } = {},
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (watch.progressed?.()) attempt = 1;
      if (watch.signal?.aborted || !isTransient(error) || attempt >= options.attempts) throw error;
      const wait = waitSeconds(name, attempt, (error as TransferError).retryAfterSeconds, options);
      watch.onRetry?.(attempt, wait, reasonOf(error));
      await sleep(wait * 1000, undefined, { signal: watch.signal });
    }
  }
}

function waitSeconds(name: string, attempt: number, asked: number | undefined, options: RetryOptions): number {
  const spread = 1 + key(name).fold('wait').fold(attempt).generator().uniform() / 4;
  const own = options.backoffSeconds * 2 ** (attempt - 1) * spread;
  return Math.min(options.longestWaitSeconds, Math.max(own, asked ?? 0));
}

/** Seconds of a `Retry-After` header: a number or a date (RFC 9110, 10.2.3); undefined where there is none. */
export function retryAfterSeconds(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1000);
}
