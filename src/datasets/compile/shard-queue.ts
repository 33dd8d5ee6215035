import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InterruptedError, isDiskFull, throwIfInterrupted } from '../../base/index.js';
import { shardInputHash } from '../shards/index.js';
import type { SlideFailure } from './report.js';

/** The input of one shard: a slide, or some precut patches. */
export interface ShardTask {
  /** Names the shard. */
  id: string;
  /** Files whose folders are removed from failure reasons. */
  paths: readonly string[];
  /** Inspects the files. `inputHash` covers all inputs of the shard. `compile` returns patches that failed. */
  prepare(): Promise<{ inputHash: string; compile(shard: string): Promise<readonly SlideFailure[]> }>;
}

export interface QueueOptions {
  maxFailures?: number;
  onProgress?: (event: CompileProgress) => void;
  signal?: AbortSignal;
}

export interface CompileProgress {
  slide: string;
  outcome: 'compiled' | 'already present' | 'failed';
  /** Why it failed. */
  reason?: string;
  /** Slides that are compiled or have failed. */
  done: number;
  total: number;
}

export const defaultMaxFailures = 20;

/** The tasks of the shards of a folder. */
export class ShardQueue {
  readonly failures: SlideFailure[] = [];
  /** Input hashes of tasks with a shard. */
  readonly inputHashes = new Map<string, string>();
  /** Input hashes of failed tasks, if known. */
  private readonly failedHashes = new Map<string, string>();
  private readonly maxFailures: number;
  private readonly waiting: ShardTask[];
  private readonly total: number;
  private done = 0;
  /** Failures within tasks that have a shard. */
  private partFailures = 0;
  private stopped: Error | undefined;

  constructor(
    readonly folder: string,
    tasks: readonly ShardTask[],
    /** What the tasks are, in words, for errors. */
    private readonly what: string,
    private readonly options: QueueOptions,
    /** Invalid entries of the list, which have no task and count as failures. */
    private readonly wrongEntries = 0,
  ) {
    this.maxFailures = options.maxFailures ?? defaultMaxFailures;
    this.waiting = [...tasks];
    this.total = tasks.length;
  }

  /**
   * Runs all tasks, some at a time.
   *
   * @throws Error when too many fail; InterruptedError. Finished shards are kept
   */
  async run(workers: number): Promise<void> {
    const ended = await Promise.allSettled(Array.from({ length: workers }, () => this.work()));
    for (const worker of ended) if (worker.status === 'rejected') throw worker.reason;
  }

  /** @throws Error when no task has a shard: an index without rows cannot be read */
  requireOne(): void {
    if (this.total === 0 || this.failures.length < this.total) return;
    throw new Error(`none of the ${this.total} ${this.what} could be compiled. ${this.lastReasons()}`);
  }

  /** Removes outdated shards of failed tasks, which a reader of `*.tar` would read. */
  async removeOutdated(): Promise<void> {
    for (const [id, hash] of this.failedHashes) {
      const shard = join(this.folder, `${id}.tar`);
      // Undefined also for a foreign file, which is not a shard.
      const found = await shardInputHash(shard).catch(() => undefined);
      if (found !== undefined && found !== hash) await rm(shard);
    }
  }

  private async work(): Promise<void> {
    for (let task = this.waiting.shift(); task; task = this.waiting.shift()) {
      if (this.stopped) throw this.stopped;
      throwIfInterrupted(this.options.signal, `compiling (${this.done} of ${this.total} ${this.what} are done)`);
      await this.runTask(task);
    }
    if (this.stopped) throw this.stopped;
  }

  private async runTask(task: ShardTask): Promise<void> {
    const shard = join(this.folder, `${task.id}.tar`);
    let hash: string | undefined;
    try {
      const { inputHash, compile } = await task.prepare();
      hash = inputHash;
      const isThere = (await shardInputHash(shard).catch(() => undefined)) === inputHash;
      if (!isThere) this.countParts(task, await compile(shard));
      this.inputHashes.set(task.id, inputHash);
      this.emit(task, isThere ? 'already present' : 'compiled');
    } catch (error) {
      if (error instanceof InterruptedError) throw error;
      // Not specific to the slide: the next one would fail, too.
      if (isDiskFull(error)) throw this.stop(error as Error);
      if (hash !== undefined) this.failedHashes.set(task.id, hash);
      this.fail(task, error as Error);
    }
  }

  private emit({ id }: ShardTask, outcome: CompileProgress['outcome'], reason?: string): void {
    this.done++;
    this.options.onProgress?.({ slide: id, outcome, reason, done: this.done, total: this.total });
  }

  private fail(task: ShardTask, error: Error): void {
    // The report is shared with the shards, so paths of this machine stay private.
    const reason = task.paths.reduce((words, path) => words.replaceAll(path, basename(path)), error.message);
    this.failures.push({ slide: task.id, reason });
    this.emit(task, 'failed', reason);
    this.stopIfTooMany(`more than ${this.maxFailures} of ${this.total} ${this.what} failed`, this.failures);
  }

  private countParts(task: ShardTask, failed: readonly SlideFailure[]): void {
    this.partFailures += failed.length;
    this.stopIfTooMany(`more than ${this.maxFailures} patches failed, the last of them in ${task.id}`, failed);
  }

  private stopIfTooMany(what: string, last: readonly SlideFailure[]): void {
    if (this.failures.length + this.partFailures + this.wrongEntries <= this.maxFailures) return;
    const wrong = this.wrongEntries > 0 ? ` (including ${this.wrongEntries} wrong entries of the list)` : '';
    this.stop(new Error(`${what}${wrong}, so compiling stops; finished shards are kept. ${this.lastReasons(last)}`));
  }

  /** Lets the workers finish their tasks and start no more. */
  private stop(error: Error): Error {
    this.stopped ??= error;
    return error;
  }

  private lastReasons(failures: readonly SlideFailure[] = this.failures): string {
    const last = failures.slice(-3).map(({ slide, reason }) => `  ${slide}: ${reason}`);
    return `The last reasons:\n${last.join('\n')}`;
  }
}
