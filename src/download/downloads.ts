import { existsSync } from 'node:fs';
import { mkdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DiskFullError, explainDiskFull, isDiskFull } from '../base/disk-full.js';
import { throwIfInterrupted } from '../base/interrupt.js';
import { FileLock } from '../base/lock.js';
import { type Download, downloadFile, type TransferOptions } from './download-file.js';
import { reasonOf } from './failures.js';
import { partialFolder, partialStem } from './partial-file.js';
import { BandwidthLimit } from './rate.js';
import { type ReceivedRecord, verifyDownload } from './received.js';
import { requestDefaults } from './request.js';
import { retryDefaults } from './retry.js';

export interface DownloadOptions
  extends Partial<Omit<TransferOptions, 'bandwidth' | 'onBytes' | 'onRetry' | 'method' | 'headers' | 'body'>> {
  /** Number of parallel downloads. */
  parallel?: number;
  /** All together, bytes/s. */
  bytesPerSecond?: number;
  /** Maximum total size of the files, bytes. */
  diskBudgetBytes?: number;
  /** Space to leave free on the disk, bytes. */
  keepFreeBytes?: number;
  /** Also reads existing files that look unchanged. */
  everyByte?: boolean;
  onProgress?: (event: DownloadProgress) => void;
}

export type DownloadProgress = { path: string; bytes: number } & (
  | { kind: 'started' | 'already present' | 'done' | 'waiting for another process' }
  | { kind: 'receiving'; received: number }
  | { kind: 'retry'; attempt: number; waitSeconds: number; reason: string }
  | { kind: 'failed'; reason: string }
);

export interface DownloadResult {
  /** Every existing file, in the list's order. */
  received: ReceivedRecord[];
  failed: { path: string; reason: string }[];
  /** How many of those received came in this call. */
  fetched: number;
}

/** Polling interval for files that other processes download, ms. */
const lookEvery = 200;
/** Between two `receiving` events of a file, ms. */
const emitEvery = 250;

/**
 * Downloads files into a folder in parallel. Several processes may share the folder. A file that fails does not stop
 * the rest.
 *
 * @throws DiskFullError when the files do not fit, if possible before any download; InterruptedError when `signal`
 *   aborts. Downloaded data is kept, and a later call continues
 */
export async function downloadAll(
  folder: string,
  files: readonly Download[],
  options: DownloadOptions = {},
): Promise<DownloadResult> {
  const words = () => `nothing more can be written in ${folder}; make room and run it again to continue`;
  return explainDiskFull(() => new Downloads(folder, options).run(files), words);
}

class Downloads {
  private readonly transfer: TransferOptions;
  private readonly parallel: number;
  private readonly records = new Map<string, ReceivedRecord>();
  private readonly failed: { path: string; reason: string }[] = [];
  /** Aborts the other transfers when the disk is full. */
  private readonly stop = new AbortController();
  private fetched = 0;

  constructor(
    private readonly folder: string,
    private readonly options: DownloadOptions,
  ) {
    const { signal, bytesPerSecond } = options;
    this.parallel = options.parallel ?? 4;
    if (!(Number.isSafeInteger(this.parallel) && this.parallel > 0)) {
      throw new RangeError(`parallel must be a positive integer; got ${this.parallel}`);
    }
    this.transfer = {
      syncEveryBytes: 16 * 2 ** 20,
      ...withDefaults(options),
      signal: signal ? AbortSignal.any([signal, this.stop.signal]) : this.stop.signal,
      ...(bytesPerSecond !== undefined && { bandwidth: new BandwidthLimit(bytesPerSecond) }),
    };
  }

  async run(files: readonly Download[]): Promise<DownloadResult> {
    const missing: Download[] = [];
    await this.eachOf([...files], async (file) => {
      if (!(await this.isThere(file))) missing.push(file);
    });
    const wanted = new Set(missing);
    const queue = files.filter((file) => wanted.has(file));
    await this.checkRoom(files, queue);
    if (queue.length > 0) await mkdir(partialFolder(this.folder), { recursive: true });
    await this.eachOf(queue, (file) => this.fetch(file, queue));
    const order = new Map(files.map(({ path }, place) => [path, place]));
    this.failed.sort((one, other) => order.get(one.path)! - order.get(other.path)!);
    const received = files.map(({ path }) => this.records.get(path)).filter((record) => record !== undefined);
    return { received: received as ReceivedRecord[], failed: this.failed, fetched: this.fetched };
  }

  /** Several workers take files from a queue, which may grow. */
  private async eachOf(queue: Download[], work: (file: Download) => Promise<void>): Promise<void> {
    const worker = async () => {
      for (let file = queue.shift(); file; file = queue.shift()) {
        throwIfInterrupted(this.options.signal, 'downloading');
        await work(file);
      }
    };
    const ended = await Promise.allSettled(
      Array.from({ length: this.parallel }, () =>
        worker().catch((error) => {
          this.stop.abort();
          throw error;
        }),
      ),
    );
    throwIfInterrupted(this.options.signal, 'downloading');
    const reasons = ended.flatMap((worker) => (worker.status === 'rejected' ? [worker.reason as Error] : []));
    // The others were aborted because of the first.
    const first = reasons.find((reason) => reason.name !== 'AbortError') ?? reasons[0];
    if (first) throw first;
  }

  private async isThere(file: Download): Promise<boolean> {
    const record = await verifyDownload(this.folder, file, this.options.everyByte ?? false);
    if (!record) return false;
    // A process killed after the file's last byte leaves its lock file.
    const path = this.lockPath(file);
    if (existsSync(path)) await (await FileLock.take(path))?.release();
    this.records.set(file.path, record);
    this.tell(file, { kind: 'already present' });
    return true;
  }

  private async fetch(file: Download, queue: Download[]): Promise<void> {
    const lock = await FileLock.take(this.lockPath(file));
    if (!lock) {
      this.tell(file, { kind: 'waiting for another process' });
      await sleep(lookEvery, undefined, { signal: this.transfer.signal });
      queue.push(file);
      return;
    }
    try {
      // Another process may have finished it between the first look and the lock.
      if (await this.isThere(file)) return;
      this.tell(file, { kind: 'started' });
      this.records.set(file.path, await downloadFile(this.folder, file, this.watched(file)));
      this.fetched++;
      this.tell(file, { kind: 'done' });
    } catch (error) {
      if (error instanceof DiskFullError || isDiskFull(error) || this.transfer.signal!.aborted) throw error;
      const reason = reasonOf(error);
      this.failed.push({ path: file.path, reason });
      this.tell(file, { kind: 'failed', reason });
    } finally {
      await lock.release();
    }
  }

  private lockPath({ path }: Download): string {
    return join(partialFolder(this.folder), `${partialStem(path)}.lock`);
  }

  private watched(file: Download): TransferOptions {
    let told = 0;
    return {
      ...this.transfer,
      onBytes: (received) => {
        if (performance.now() - told < emitEvery) return;
        told = performance.now();
        this.tell(file, { kind: 'receiving', received });
      },
      onRetry: (attempt, waitSeconds, reason) => this.tell(file, { kind: 'retry', attempt, waitSeconds, reason }),
    };
  }

  /** Refuses downloads that cannot fit, before they start. */
  private async checkRoom(files: readonly Download[], missing: readonly Download[]): Promise<void> {
    const { diskBudgetBytes, keepFreeBytes = 0 } = this.options;
    const sum = (list: readonly Download[]) => list.reduce((bytes, file) => bytes + file.bytes, 0);
    if (diskBudgetBytes !== undefined && sum(files) > diskBudgetBytes) {
      throw new DiskFullError(
        `the ${files.length} files take ${gigabytes(sum(files))} in all, but the disk budget is ` +
          `${gigabytes(diskBudgetBytes)}; use fewer files or a larger budget`,
      );
    }
    if (missing.length === 0) return;
    const { bavail, bsize } = await statfs(await nearestFolder(this.folder));
    const free = bavail * bsize - keepFreeBytes;
    if (sum(missing) > free) {
      throw new DiskFullError(
        `the disk is full: ${missing.length} files of ${gigabytes(sum(missing))} are missing, and the disk of ` +
          `${this.folder} has ${gigabytes(Math.max(0, free))} for them; use fewer files or another folder`,
      );
    }
  }

  private tell(file: Download, event: DistributiveOmit<DownloadProgress, 'path' | 'bytes'>): void {
    this.options.onProgress?.({ path: file.path, bytes: file.bytes, ...event });
  }
}

type DistributiveOmit<T, Keys extends string> = T extends unknown ? Omit<T, Keys> : never;

/** Default request options; an option given as undefined means the default. */
export function withDefaults<T extends DownloadOptions>(options: T) {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
  return { ...requestDefaults, ...retryDefaults, ...given };
}

async function nearestFolder(folder: string): Promise<string> {
  const there = await statfs(folder).then(
    () => true,
    () => false,
  );
  return there ? folder : nearestFolder(join(folder, '..'));
}

/** A formatted size. */
export function gigabytes(bytes: number): string {
  if (bytes >= 1e12) return `${(bytes / 1e12).toFixed(2)} TB`;
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${bytes} bytes`;
}
