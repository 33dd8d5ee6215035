import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Claim,
  ClaimWatch,
  canonicalJson,
  InterruptedError,
  isDiskFull,
  onDisk,
  projectRoot,
  sha256,
  throwIfInterrupted,
} from '../../runs/index.js';
import type { DatasetDefinition, LabelRule } from '../definition.js';
import { shardMadeBy, shardVersion } from '../shards/index.js';
import type { DatasetSlide } from '../slide-source.js';
import { compileSlide } from './compile-slide.js';
import {
  type CutOptions,
  type CutSettings,
  checkDataset,
  cutSettings,
  jpegQuality,
  type SlideDataset,
  settingsHash,
} from './dataset.js';
import { fingerprintOf } from './fingerprint.js';
import { finishFolder } from './finish-folder.js';
import type { CompileReport, SlideFailure } from './report.js';
import { removeUnfinished } from './unfinished.js';

export interface CompileDatasetOptions extends CutOptions {
  /** Where datasets lie; by default the project's `data`. */
  data?: string;
  /** Slides under way at a time in this process; by default one a core, at most 4. The shards are the same. */
  workers?: number;
  /** Slides that may fail, each with its reason in the report, before all stops. */
  maxFailures?: number;
  /** Called when a slide is done, found done, or has failed. */
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

export interface CompiledDataset {
  /** With a shard a slide, `index.arrow`, `report.json`, and the card as `CARD.md` and `CARD.json`. */
  folder: string;
  report: CompileReport;
}

/** Folder of a dataset's shards, named by how they are cut. */
export function shardFolder(
  definition: DatasetDefinition,
  options: CutOptions = {},
  data = join(projectRoot, 'data'),
): string {
  return join(data, definition.name, settingsHash(cutSettings(definition, options)));
}

/** How often slides that other processes work on are looked at, ms. */
const lookEvery = 500;

/**
 * Cuts the slides of a dataset into shards, one a slide, with an index, a report and a card beside them. Any number of
 * processes and machines may do so at once in one shared folder. What is there already, made from the same slide with
 * the same settings, is kept.
 *
 * @throws Error when more slides fail than may, or all; DiskFullError; InterruptedError when `signal` aborts. Finished
 *   shards stay
 */
export async function compileDataset(
  dataset: SlideDataset,
  options: CompileDatasetOptions = {},
): Promise<CompiledDataset> {
  checkDataset(dataset);
  const job = new Job(dataset, options);
  const workers = options.workers ?? Math.min(4, availableParallelism());
  if (!(Number.isSafeInteger(workers) && workers > 0)) {
    throw new RangeError(`workers is a whole number above 0; got ${workers}`);
  }
  return onDisk(
    async () => {
      await mkdir(join(job.folder, 'claims'), { recursive: true });
      const ended = await Promise.allSettled(Array.from({ length: workers }, () => job.work()));
      for (const worker of ended) if (worker.status === 'rejected') throw worker.reason;
      return { folder: job.folder, report: await job.finish() };
    },
    () => `nothing more can be written in ${job.folder}; shards that are done stay: make room and compile again`,
  );
}

/** One process's part of a compilation. */
class Job {
  readonly settings: CutSettings;
  readonly folder: string;
  readonly failures: SlideFailure[] = [];
  private readonly maxFailures: number;
  private readonly waiting: DatasetSlide[];
  private readonly watch = new ClaimWatch();
  private readonly total: number;
  private done = 0;
  private stopped: Error | undefined;

  constructor(
    private readonly dataset: SlideDataset,
    private readonly options: CompileDatasetOptions,
  ) {
    const { definition, slides } = dataset;
    this.settings = cutSettings(definition, options);
    this.folder = shardFolder(definition, options, options.data);
    this.maxFailures = options.maxFailures ?? 20;
    this.waiting = [...slides];
    this.total = slides.length;
  }

  /** Takes slides until none is left; several workers run at once. */
  async work(): Promise<void> {
    let busyElsewhere = 0;
    for (let slide = this.waiting.shift(); slide; slide = this.waiting.shift()) {
      if (this.stopped) throw this.stopped;
      throwIfInterrupted(this.options.signal, `compiling (${this.done} of ${this.total} slides are done)`);
      if (await this.tryOne(slide)) {
        busyElsewhere = 0;
        continue;
      }
      this.waiting.push(slide);
      // All that are left are others' now.
      if (++busyElsewhere >= this.waiting.length) {
        await sleep(lookEvery);
        busyElsewhere = 0;
      }
    }
    if (this.stopped) throw this.stopped;
  }

  /** Writes index, report and card. Processes that share the folder do so in turn, and write the same. */
  async finish(): Promise<CompileReport> {
    // An index without a row is no dataset, and cannot be read.
    if (this.failures.length === this.total) {
      throw new Error(`none of the ${this.total} slides gave a shard. ${this.lastReasons()}`);
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
      return await finishFolder(this.folder, this.dataset, this.settings, this.failures);
    } finally {
      await claim.release();
    }
  }

  /** Undefined while another that is at work has it. */
  private async claim(path: string): Promise<Claim | undefined> {
    const claim = await Claim.take(path);
    return claim ?? ((await this.watch.clearIfStale(path)) ? Claim.take(path) : undefined);
  }

  /** @returns false when another process works on the slide */
  private async tryOne(record: DatasetSlide): Promise<boolean> {
    const shard = join(this.folder, `${record.id}.tar`);
    try {
      const file = await fingerprintOf(record.path);
      const { labels } = this.dataset.definition;
      const made = await madeBy({ ...record, ...file }, { settings: this.settings, labels });
      const claimPath = join(this.folder, 'claims', `${record.id}.json`);
      if ((await shardMadeBy(shard).catch(() => undefined)) === made) {
        await this.tidy(claimPath, shard);
        this.tell(record, 'there already');
        return true;
      }
      const claim = await this.claim(claimPath);
      if (!claim) return false;
      try {
        // Another may have finished it between the look and the claim.
        if ((await shardMadeBy(shard).catch(() => undefined)) === made) {
          this.tell(record, 'compiled by another process');
          return true;
        }
        await compileSlide(
          shard,
          { ...record, ...file },
          { settings: this.settings, labels, made, signal: this.options.signal },
        );
      } catch (error) {
        if (!(error instanceof InterruptedError) && !(await claim.holds())) return false;
        throw error;
      } finally {
        await claim.release();
      }
      this.tell(record, 'compiled');
    } catch (error) {
      if (error instanceof InterruptedError) throw error;
      // No fault of the slide's: the next one would fail just so.
      if (isDiskFull(error)) throw this.stop(error as Error);
      this.fail(record, error as Error);
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

  private tell({ id }: DatasetSlide, outcome: CompileProgress['outcome'], reason?: string): void {
    this.done++;
    this.options.onProgress?.({ slide: id, outcome, reason, done: this.done, total: this.total });
  }

  private fail(record: DatasetSlide, error: Error): void {
    // The report travels with the shards, and this machine's folders are nobody's business.
    let reason = error.message;
    for (const path of [record.path, record.mask, record.annotation]) {
      if (path) reason = reason.replaceAll(path, basename(path));
    }
    this.failures.push({ slide: record.id, reason });
    this.tell(record, 'failed', reason);
    if (this.failures.length <= this.maxFailures || this.stopped) return;
    this.stop(
      new Error(
        `more than ${this.maxFailures} of ${this.total} slides failed, so compiling stops; shards that are done stay. ` +
          this.lastReasons(),
      ),
    );
  }

  /** Lets the workers end what they are at, and begin nothing more. */
  private stop(error: Error): Error {
    this.stopped ??= error;
    return error;
  }

  private lastReasons(): string {
    const last = this.failures.slice(-3).map(({ slide, reason }) => `  ${slide}: ${reason}`);
    return `The last reasons:\n${last.join('\n')}`;
  }
}

/** Hash of all that decides a shard's bytes. Where files lie is not part of it, but what is in them. */
async function madeBy(
  record: DatasetSlide & { bytes: number; fingerprint: string },
  { settings, labels }: { settings: CutSettings; labels: LabelRule },
): Promise<string> {
  // A file's whole hash is not always known; its fingerprint is.
  const { path: _, sha256: __, record: drawn, mask, annotation, ...facts } = record;
  const fingerprint = async (path: string | null) => path && (await fingerprintOf(path)).fingerprint;
  return sha256(
    canonicalJson({
      shardVersion,
      jpegQuality,
      settings,
      labels,
      facts,
      mask: await fingerprint(mask),
      annotation: await fingerprint(annotation),
      drawn: drawn && { kinds: drawn.kinds, map: drawn.labelMap },
    }),
  );
}
