import { TransferError, WrongContentError } from './failures.js';
import { PartialFile } from './partial-file.js';
import type { BandwidthLimit } from './rate.js';
import {
  clearQuarantine,
  differences,
  explainQuarantine,
  quarantinePath,
  type ReceivedRecord,
  readReceived,
  type WantedFile,
  writeReceived,
} from './received.js';
import { type Answer, failureOf, type RequestOptions, request } from './request.js';
import { type RetryOptions, withRetries } from './retry.js';
import { redactedUrl } from './url.js';

/** A file of a list, with its URL. */
export interface Download extends WantedFile {
  url: string;
}

export interface TransferOptions extends RequestOptions, RetryOptions {
  /** Maximum number of bytes requested again after a crash or a power cut. */
  syncEveryBytes: number;
  bandwidth?: BandwidthLimit;
  onBytes?: (received: number) => void;
  onRetry?: (attempt: number, waitSeconds: number, reason: string) => void;
}

/** Number of attempts from the first byte for wrong content. */
const wholeAttempts = 2;

/**
 * Downloads one file, resuming where an earlier process stopped. It gets its name when it is complete, matches the list
 * and, if it was downloaded before, the first download. The caller holds its lock.
 *
 * @throws WrongContentError for wrong content (which is quarantined); TransferError and system errors when retries
 *   failed; Error for permanent failures
 */
export async function downloadFile(folder: string, file: Download, options: TransferOptions): Promise<ReceivedRecord> {
  const partial = await PartialFile.open(folder, file.path, options.syncEveryBytes);
  try {
    for (let whole = 1; ; whole++) {
      await receive(partial, file, options);
      const found = { bytes: partial.received, ...partial.digests() };
      const wrong = differences(file, readReceived(folder, file.path), found);
      if (wrong.length === 0) {
        const modifiedMs = await partial.modifiedMs();
        const record = { path: file.path, ...found, etag: partial.etag, modifiedMs };
        await writeReceived(folder, record);
        await partial.finish();
        await clearQuarantine(folder, file.path);
        return record;
      }
      await partial.quarantine(quarantinePath(folder, file.path));
      await explainQuarantine(folder, file.path, wrong);
      if (whole >= wholeAttempts) {
        throw new WrongContentError(`the content does not match the list: ${wrong.join('; ')}`);
      }
    }
  } finally {
    await partial.close();
  }
}

/** Receives all bytes, over as many connections as needed. */
async function receive(partial: PartialFile, file: Download, options: TransferOptions): Promise<void> {
  // Connections that each transfer a good part do not count as failures.
  const goodPart = Math.max(2 ** 20, file.bytes / 100);
  let before = partial.received;
  await withRetries(file.path, () => receiveOnce(partial, file, options), options, {
    onRetry: options.onRetry,
    progressed: () => {
      const brought = partial.received - before;
      before = partial.received;
      return brought >= goodPart;
    },
    signal: options.signal,
  });
}

/** Requests the missing bytes and writes them, until the end or a failure. */
async function receiveOnce(partial: PartialFile, file: Download, options: TransferOptions): Promise<void> {
  const { validator } = partial;
  if (partial.received > 0 && validator === undefined) await partial.discard();
  if (partial.received > 0) await partial.resume();
  if (partial.received === file.bytes) return;
  const rest = partial.received > 0 && validator !== undefined;
  const answer = await request(file.url, {
    ...options,
    headers: rest ? { range: `bytes=${partial.received}-`, 'if-range': validator } : {},
  });
  try {
    await beginAt(partial, file, answer);
    for await (const chunk of answer.body) {
      await options.bandwidth?.take(chunk.length, options.signal);
      if (partial.received + chunk.length > file.bytes) {
        await partial.discard();
        throw new WrongContentError(`the server sends more than the ${file.bytes} bytes in the list`);
      }
      await partial.write(chunk);
      options.onBytes?.(partial.received);
    }
  } catch (error) {
    if (!(error instanceof WrongContentError)) await partial.sync().catch(() => {});
    throw error;
  } finally {
    answer.close();
  }
  await partial.sync();
  if (partial.received < file.bytes) {
    throw new TransferError(`the connection ended after ${partial.received} of ${file.bytes} bytes`);
  }
}

/** Checks the response headers against the list, and prepares the partial file. */
async function beginAt(partial: PartialFile, file: Download, answer: Answer): Promise<void> {
  const { status, headers } = answer;
  const about = redactedUrl(file.url);
  if (status === 416) {
    await partial.discard();
    throw new TransferError(`${about}: the server has no such range; restarting from the beginning`);
  }
  const failure = failureOf(answer, about);
  if (failure) throw failure;
  const etag = headers.etag ?? null;
  if (file.etag !== null && etag !== null && etag !== file.etag) {
    throw new WrongContentError(
      `${about} has changed: its ETag is ${etag}, but the list says ${file.etag}; refresh the list`,
    );
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new WrongContentError(
      `${about}: the server sends it ${encoding}-compressed, although the request forbids it`,
    );
  }
  const total = status === 206 ? rangeTotal(headers['content-range'], partial.received) : headers['content-length'];
  if (total === null) {
    await partial.discard();
    throw new TransferError(`${about}: the server sends a different range than requested`);
  }
  if (total !== undefined && Number(total) !== file.bytes) {
    throw new WrongContentError(`${about} has ${total} bytes, but the list says ${file.bytes}`);
  }
  if (status !== 206) {
    const modified = headers['last-modified'] ?? null;
    await partial.restart({ bytes: file.bytes, etag, modified });
  }
}

/** The total size of `bytes FIRST-LAST/TOTAL`; null if the range does not begin as requested. */
function rangeTotal(header: string | undefined, first: number): string | null {
  const parts = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(header ?? '');
  return parts && Number(parts[1]) === first && Number(parts[2]) === Number(parts[3]) - 1 ? parts[3]! : null;
}
