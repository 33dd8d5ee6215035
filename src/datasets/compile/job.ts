import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Claim, ClaimWatch, InterruptedError, isDiskFull, throwIfInterrupted } from '../../runs/index.js';
import { shardMadeBy } from '../shards/index.js';
import type { SlideFailure } from './report.js';
import { removeUnfinished } from './unfinished.js';

/** What becomes one shard: a slide, or some ready patches. */
export interface WorkUnit {
  /** Names the shard. */
  id: string;
  /** Files whose folders no reason may tell. */
  paths: readonly string[];
  /** Looks at the files; `made` is the hash of all that decides the shard's bytes. `compile` returns parts that failed. */
  prepare(): Promise<{ made: string; compile(shard: string): Promise<readonly SlideFailure[]> }>;
}

export interface JobOptions {
  maxFailures?: number;
  onProgress?: (event: CompileProgress) => void;
  signal?: AbortSignal;
}

export interface CompileProgress {
  slide: string;
  outcome: 'compiled' | 'there already' | 'compiled by another process' | 'failed';
  /** Why it failed. */
  reason?: string;
  /** Slides that are done or have failed. */
  done: number;
  total: number;
}

export const usualMaxFailures = 20;

/** How often slides that other processes work on are looked at, ms. */
const lookEvery = 500;

/** One process's part of a compilation. */
export class Job {
  private failures: SlideFailure[] = [];
  private readonly maxFailures: number;
  private readonly waiting: WorkUnit[];
  private readonly watch = new ClaimWatch();
  private readonly total: number;
  /** Of units that failed: what would decide their shards' bytes. */
  private readonly failedMade = new Map<string, string>();
  /** Of the others: what decided their shards' bytes. */
  private readonly made = new Map<string, string>();
  private done = 0;
  /** Failures within units that gave a shard all the same. */
  private partFailures = 0;
  private stopped: Error | undefined;

  constructor(
    readonly folder: string,
    units: readonly WorkUnit[],
    /** In words, for errors. */
    private readonly what: string,
    private readonly options: JobOptions,
    /** Entries of the list that are wrong: no units came of them, and each is one that failed. */
    private readonly wrongEntries = 0,
  ) {
    this.maxFailures = options.maxFailures ?? usualMaxFailures;
    this.waiting = [...units];
    this.total = units.length;
  }

  /** Takes units until none is left; several workers run at once. */
  async work(): Promise<void> {
    let busyElsewhere = 0;
    for (let unit = this.waiting.shift(); unit; unit = this.waiting.shift()) {
      if (this.stopped) throw this.stopped;
      throwIfInterrupted(this.options.signal, `compiling (${this.done} of ${this.total} ${this.what} are done)`);
      if (await this.tryOne(unit)) {
        busyElsewhere = 0;
        continue;
      }
      this.waiting.push(unit);
      // All that are left are others' now.
      if (++busyElsewhere >= this.waiting.length) {
        await sleep(lookEvery);
        busyElsewhere = 0;
      }
    }
    if (this.stopped) throw this.stopped;
  }

  /**
   * Writes what lies beside the shards. Processes that share the folder do so in turn, and write the same.
   *
   * @param write is given also the hash of what made each shard that this process made or found
   */
  async finish<T>(
    write: (
      failures: readonly SlideFailure[],
      made: ReadonlyMap<string, string>,
      removeOutdated: () => Promise<void>,
    ) => Promise<T>,
  ): Promise<T> {
    await this.forgiveMadeElsewhere();
    // An index without a row is no dataset, and cannot be read.
    if (this.failures.length === this.total) {
      throw new Error(`none of the ${this.total} ${this.what} gave a shard. ${this.lastReasons()}`);
    }
    const claimPath = join(this.folder, 'claims', '_index.json');
    let claim = await this.claim(claimPath);
    while (!claim) {
      await sleep(lookEvery);
      claim = await this.claim(claimPath);
    }
    try {
      for (const name of ['index.arrow', 'report.json', 'CARD.md', 'CARD.json']) {
        await removeUnfinished(join(this.folder, name));
      }
      return await write(this.failures, this.made, () => this.removeOutdated());
    } finally {
      await claim.release();
    }
  }

  /** What failed here and not in another process, from the same files, has not failed. */
  private async forgiveMadeElsewhere(): Promise<void> {
    for (const [id, made] of this.failedMade) {
      const there = await shardMadeBy(join(this.folder, `${id}.tar`)).catch(() => undefined);
      if (there !== made) continue;
      this.failures = this.failures.filter(({ slide }) => slide !== id);
      this.failedMade.delete(id);
      this.made.set(id, made);
    }
  }

  /**
   * Removes shards of units that failed, made when their files were others: whoever reads all of the folder's shards would
   * read them. One that another process made from the files as they are now is its own business.
   */
  private async removeOutdated(): Promise<void> {
    for (const [id, made] of this.failedMade) {
      const claim = await this.claim(join(this.folder, 'claims', `${id}.json`));
      if (!claim) continue;
      try {
        const shard = join(this.folder, `${id}.tar`);
        // Undefined also of a file that is no shard: that is somebody's.
        const there = await shardMadeBy(shard).catch(() => undefined);
        if (there !== undefined && there !== made) await rm(shard);
      } finally {
        await claim.release();
      }
    }
  }

  /** Undefined while another that is at work has it. */
  private async claim(path: string): Promise<Claim | undefined> {
    const claim = await Claim.take(path);
    return claim ?? ((await this.watch.clearIfStale(path)) ? Claim.take(path) : undefined);
  }

  /** @returns false when another process works on it */
  private async tryOne(unit: WorkUnit): Promise<boolean> {
    const shard = join(this.folder, `${unit.id}.tar`);
    let made: string | undefined;
    try {
      const prepared = await unit.prepare();
      const { compile } = prepared;
      made = prepared.made;
      const claimPath = join(this.folder, 'claims', `${unit.id}.json`);
      if ((await shardMadeBy(shard).catch(() => undefined)) === made) {
        this.made.set(unit.id, made);
        await this.tidy(claimPath, shard);
        this.tell(unit, 'there already');
        return true;
      }
      const claim = await this.claim(claimPath);
      if (!claim) return false;
      try {
        // Another may have finished it between the look and the claim.
        if ((await shardMadeBy(shard).catch(() => undefined)) === made) {
          this.made.set(unit.id, made);
          this.tell(unit, 'compiled by another process');
          return true;
        }
        this.countParts(unit, await compile(shard));
        this.made.set(unit.id, made);
      } catch (error) {
        if (!(error instanceof InterruptedError) && !(await claim.holds())) return false;
        throw error;
      } finally {
        await claim.release();
      }
      this.tell(unit, 'compiled');
    } catch (error) {
      if (error instanceof InterruptedError) throw error;
      // No fault of the slide's: the next one would fail just so.
      if (isDiskFull(error)) throw this.stop(error as Error);
      if (made !== undefined) this.failedMade.set(unit.id, made);
      this.fail(unit, error as Error);
    }
    return true;
  }

  /** Takes away what a process left that was killed when its shard was done. */
  private async tidy(claimPath: string, shard: string): Promise<void> {
    if (!existsSync(claimPath)) return;
    const claim = await this.claim(claimPath);
    if (!claim) return;
    await removeUnfinished(shard).finally(() => claim.release());
  }

  private tell({ id }: WorkUnit, outcome: CompileProgress['outcome'], reason?: string): void {
    this.done++;
    this.options.onProgress?.({ slide: id, outcome, reason, done: this.done, total: this.total });
  }

  private fail(unit: WorkUnit, error: Error): void {
    // The report travels with the shards, and this machine's folders are nobody's business.
    const reason = unit.paths.reduce((words, path) => words.replaceAll(path, basename(path)), error.message);
    this.failures.push({ slide: unit.id, reason });
    this.tell(unit, 'failed', reason);
    this.stopIfTooMany(`more than ${this.maxFailures} of ${this.total} ${this.what} failed`, this.failures);
  }

  private countParts(unit: WorkUnit, failed: readonly SlideFailure[]): void {
    this.partFailures += failed.length;
    this.stopIfTooMany(`more than ${this.maxFailures} patches failed, the last of them in ${unit.id}`, failed);
  }

  private stopIfTooMany(what: string, last: readonly SlideFailure[]): void {
    if (this.failures.length + this.partFailures + this.wrongEntries <= this.maxFailures) return;
    const wrong = this.wrongEntries > 0 ? ` (entries of the list that are wrong among them: ${this.wrongEntries})` : '';
    this.stop(new Error(`${what}${wrong}, so compiling stops; shards that are done stay. ${this.lastReasons(last)}`));
  }

  /** Lets the workers end what they are at, and begin nothing more. */
  private stop(error: Error): Error {
    this.stopped ??= error;
    return error;
  }

  private lastReasons(failures: readonly SlideFailure[] = this.failures): string {
    const last = failures.slice(-3).map(({ slide, reason }) => `  ${slide}: ${reason}`);
    return `The last reasons:\n${last.join('\n')}`;
  }
}
