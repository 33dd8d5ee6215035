import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { onDisk, projectRoot } from '../../runs/index.js';
import type { DatasetDefinition } from '../definition.js';
import type { ExcludedSlide } from '../lock-file.js';
import { type CutOptions, checkDataset, type SlideDataset, settingsHash, settingsOf } from './dataset.js';
import { finishFolder } from './finish-folder.js';
import { compiledList, FolderList } from './folder-list.js';
import { type CompileProgress, Job, usualMaxFailures } from './job.js';
import type { CompileReport } from './report.js';
import { readyWork, slideWork } from './work-units.js';

export interface CompileDatasetOptions extends CutOptions {
  /** Where datasets lie; by default the project's `data`. */
  data?: string;
  /** Slides under way at a time in this process; by default one a core, at most 4. The shards are the same. */
  workers?: number;
  /**
   * Slides (or ready patches) that may fail, each with its reason in the report, before all stops; entries of the list
   * that are wrong count among them. 20 by default.
   */
  maxFailures?: number;
  /** Removes shards of slides that are no longer in the list; other files of the folder stay. */
  removeStrays?: boolean;
  /** Called when a slide is done, found done, or has failed. */
  onProgress?: (event: CompileProgress) => void;
  /** Called, with the reason, before it waits for what another machine did in the folder. */
  onWait?: (reason: string) => void;
  signal?: AbortSignal;
}

export interface CompiledDataset {
  /** With a shard a slide, `index.arrow`, `report.json`, and the card as `CARD.md` and `CARD.json`. */
  folder: string;
  report: CompileReport;
  /** Names of other tar files in the folder, such as shards of slides that are no longer in the list: no index has them. */
  strays: readonly string[];
  /** Names of shards of an earlier list that were removed: all that are asked for, and those that hold ready patches. */
  removed: readonly string[];
}

/** Folder of a dataset's shards, named by how they are cut. */
export function shardFolder(
  definition: DatasetDefinition,
  options: CutOptions = {},
  data = join(projectRoot, 'data'),
): string {
  return join(data, definition.name, settingsHash(settingsOf(definition, options)));
}

/**
 * Cuts the slides of a dataset into shards, one a slide, with an index, a report and a card beside them. Ready patches go
 * into shards of about 500; no slide is opened. Any number of
 * processes and machines may do so at once in one shared folder, if they compile the same list. What is there already, made from the same slide with
 * the same settings, is kept.
 *
 * @throws Error when more slides fail than may, or all, or more entries of the list are wrong, or another
 *   process compiles another list there; DiskFullError; InterruptedError when `signal` aborts. Finished
 *   shards stay
 */
export async function compileDataset(
  dataset: SlideDataset,
  options: CompileDatasetOptions = {},
): Promise<CompiledDataset> {
  checkDataset(dataset);
  const { definition } = dataset;
  const folder = shardFolder(definition, options, options.data);
  const workers = options.workers ?? Math.min(4, availableParallelism());
  if (!(Number.isSafeInteger(workers) && workers > 0)) {
    throw new RangeError(`workers is a whole number above 0; got ${workers}`);
  }
  const wrong = (dataset.excluded ?? []).filter(({ fault }) => fault);
  checkList(wrong, definition.name, options.maxFailures ?? usualMaxFailures);
  const work = definition.unit === 'patches' ? await readyWork(dataset, options) : slideWork(dataset, options);
  const job = new Job(folder, work.units, work.what, options, wrong.length);
  return onDisk(
    async () => {
      await mkdir(join(folder, 'claims'), { recursive: true });
      const place = await FolderList.join(folder, compiledList(dataset), options);
      try {
        const ended = await Promise.allSettled(Array.from({ length: workers }, () => job.work()));
        for (const worker of ended) if (worker.status === 'rejected') throw worker.reason;
        const { removeStrays = false } = options;
        const finished = await job.finish(async (failures, made, removeOutdated) => {
          await place.renew();
          return finishFolder(folder, dataset, { ...work, failures, made, removeStrays, removeOutdated });
        });
        return { folder, ...finished };
      } finally {
        await place.leave();
      }
    },
    () => `nothing more can be written in ${folder}; shards that are done stay: make room and compile again`,
  );
}

function checkList(wrong: readonly ExcludedSlide[], name: string, maxFailures: number): void {
  if (wrong.length <= maxFailures) return;
  const first = wrong.slice(0, 3).map(({ id, reason }) => `  ${id}: ${reason}`);
  throw new Error(
    `${wrong.length} entries of the list of ${name} are wrong, more than the ${maxFailures} that may fail, so nothing is ` +
      `compiled: mend them, or let more fail (--max-failures). The first reasons:\n${first.join('\n')}`,
  );
}
