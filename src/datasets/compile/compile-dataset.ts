import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { explainDiskFull, FileLock, lockOwner, projectRoot, throwIfInterrupted } from '../../base/index.js';
import type { DatasetDefinition } from '../definition.js';
import type { ExcludedSlide } from '../lock-file.js';
import { type CutOptions, checkDataset, type SlideDataset, settingsHash, settingsOf } from './dataset.js';
import { finishFolder } from './finish-folder.js';
import { type CompilePart, failuresOfParts, tasksOfPart, writePart } from './parts.js';
import type { CompileReport, SlideFailure } from './report.js';
import { type CompileProgress, defaultMaxFailures, ShardQueue, type ShardTask } from './shard-queue.js';
import { precutWork, slideWork, type Work } from './shard-tasks.js';

export interface CompileDatasetOptions extends CutOptions {
  /** Parent folder of datasets; by default the project's `data`. */
  data?: string;
  /** Slides compiled in parallel; by default one per core, at most 4. The shards do not depend on it. */
  workers?: number;
  /**
   * Slides (or precut patches) that may fail, each with its reason in the report, before all stops; entries of the list
   * that are wrong count among them. 20 by default.
   */
  maxFailures?: number;
  /** Removes shards of slides that are no longer in the list; other files of the folder stay. */
  removeOrphans?: boolean;
  /** Called when a slide is compiled, is found compiled, or has failed. */
  onProgress?: (event: CompileProgress) => void;
  /** Called, with the reason, before it waits for another process that compiles the same folder. */
  onWait?: (reason: string) => void;
  signal?: AbortSignal;
}

export interface CompiledDataset {
  /** Has one shard per slide, `index.arrow`, `report.json`, and the card as `CARD.md` and `CARD.json`. */
  folder: string;
  report: CompileReport;
  /**
   * Other tar files in the folder, such as shards of slides that are no longer in the list; they are not in the index.
   */
  orphans: readonly string[];
  /** Removed shards of an earlier list: all with `removeOrphans`, otherwise those of precut patches. */
  removed: readonly string[];
}

/** Folder of a dataset's shards, named by their settings. */
export function shardFolder(
  definition: DatasetDefinition,
  options: CutOptions = {},
  data = join(projectRoot, 'data'),
): string {
  return join(data, definition.name, settingsHash(settingsOf(definition, options)));
}

/**
 * Cuts the slides of a dataset into shards, one per slide, with an index, a report and a card. Precut patches go into
 * shards of about 500. Existing shards of the same slide and settings are kept. While another process compiles the same
 * folder, this one waits.
 *
 * @throws Error when too many slides fail, or all, or too many entries of the list are invalid; DiskFullError;
 *   InterruptedError when `signal` aborts. Finished shards are kept
 */
export async function compileDataset(
  dataset: SlideDataset,
  options: CompileDatasetOptions = {},
): Promise<CompiledDataset> {
  const { folder, work, queueOf, writing } = await begin(dataset, options);
  return writing(async () => {
    const lock = await waitForLock(join(folder, lockName), options);
    try {
      return { folder, ...(await finish(dataset, work, await queueOf(work.tasks), options)) };
    } finally {
      await lock.release();
    }
  });
}

/**
 * Compiles the shards of one part of a dataset. `finishDataset` writes the index when all parts have ended. Parts may
 * run on several machines that share the folder.
 *
 * @throws as `compileDataset`; Error when another process compiles this part, or the whole folder
 */
export async function compilePart(
  dataset: SlideDataset,
  part: CompilePart,
  options: CompileDatasetOptions = {},
): Promise<{ folder: string; shards: number; failures: readonly SlideFailure[] }> {
  const { folder, work, queueOf, writing } = await begin(dataset, options);
  const tasks = tasksOfPart(work.tasks, part);
  const words = `part ${part.number} of ${part.of} in ${folder} is being compiled`;
  return writing(async () => {
    const own = await FileLock.require(join(folder, `.part-${part.number}-of-${part.of}.lock`), words);
    try {
      const shared = await FileLock.require(join(folder, lockName), `${folder} is being compiled`, { shared: true });
      try {
        const { failures, inputHashes } = await queueOf(tasks);
        await writePart(folder, part, failures);
        return { folder, shards: inputHashes.size, failures };
      } finally {
        await shared.release();
      }
    } finally {
      await own.release();
    }
  });
}

/**
 * Writes index, report and card of a dataset that was compiled in parts.
 *
 * @throws Error when a part is still being compiled, or slides have neither a shard nor a recorded failure
 */
export async function finishDataset(
  dataset: SlideDataset,
  options: CompileDatasetOptions = {},
): Promise<CompiledDataset> {
  const { folder, work, queueOf, writing } = await begin(dataset, { ...options, maxFailures: Infinity });
  return writing(async () => {
    const lock = await FileLock.require(join(folder, lockName), `${folder} is being compiled`);
    try {
      const reasons = await failuresOfParts(folder);
      const missing: string[] = [];
      const tasks = work.tasks.map((task) => ({
        ...task,
        async prepare() {
          const { inputHash } = await task.prepare();
          const compile = async () => {
            if (!reasons.has(task.id)) missing.push(task.id);
            throw new Error(reasons.get(task.id) ?? 'no part compiled it');
          };
          return { inputHash, compile };
        },
      }));
      const queue = await queueOf(tasks);
      if (missing.length > 0) {
        throw new Error(
          `${missing.length} of ${tasks.length} ${work.what} have no shard made from their current files ` +
            `(${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', ...' : ''}): run the parts that have not ended`,
        );
      }
      return { folder, ...(await finish(dataset, work, queue, options)) };
    } finally {
      await lock.release();
    }
  });
}

const lockName = '.compile.lock';

async function begin(dataset: SlideDataset, options: CompileDatasetOptions) {
  checkDataset(dataset);
  const { definition } = dataset;
  const folder = shardFolder(definition, options, options.data);
  const workers = options.workers ?? Math.min(4, availableParallelism());
  if (!(Number.isSafeInteger(workers) && workers > 0)) {
    throw new RangeError(`workers must be a positive integer; got ${workers}`);
  }
  const wrong = (dataset.excluded ?? []).filter(({ fault }) => fault);
  checkList(wrong, definition.name, options.maxFailures ?? defaultMaxFailures);
  const work = definition.unit === 'patches' ? await precutWork(dataset, options) : slideWork(dataset, options);
  return {
    folder,
    work,
    async queueOf(tasks: readonly ShardTask[]): Promise<ShardQueue> {
      const queue = new ShardQueue(folder, tasks, work.what, options, wrong.length);
      await queue.run(workers);
      return queue;
    },
    writing<T>(write: () => Promise<T>): Promise<T> {
      return explainDiskFull(
        async () => {
          await mkdir(folder, { recursive: true });
          return write();
        },
        () => `nothing more can be written in ${folder}; finished shards are kept: make room and compile again`,
      );
    },
  };
}

async function finish(
  dataset: SlideDataset,
  work: Work,
  queue: ShardQueue,
  { removeOrphans = false }: CompileDatasetOptions,
) {
  queue.requireOne();
  return finishFolder(dataset, work, queue, { removeOrphans });
}

async function waitForLock(path: string, { onWait, signal }: CompileDatasetOptions): Promise<FileLock> {
  for (let waits = 0; ; waits++) {
    const lock = await FileLock.take(path);
    if (lock) return lock;
    if (waits === 0) onWait?.(`${await lockOwner(path)} is compiling the same folder: waiting until it ends`);
    throwIfInterrupted(signal, 'waiting for another process that compiles the same folder');
    await sleep(500);
  }
}

function checkList(wrong: readonly ExcludedSlide[], name: string, maxFailures: number): void {
  if (wrong.length <= maxFailures) return;
  const first = wrong.slice(0, 3).map(({ id, reason }) => `  ${id}: ${reason}`);
  throw new Error(
    `${wrong.length} entries of the list of ${name} are invalid, more than the limit of ${maxFailures}; nothing is ` +
      `compiled. Correct them, or raise the limit (--max-failures). The first reasons:\n${first.join('\n')}`,
  );
}
