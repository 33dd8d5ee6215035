import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { canonicalJson, removeUnfinished, writeFileAtomic } from '../../base/index.js';
import { byReason } from '../excluded.js';
import {
  type IndexedShard,
  jpegQuality,
  packShard,
  readShard,
  shardIndex,
  shardInputHash,
  shardVersion,
} from '../shards/index.js';
import { cardContent, cardMarkdown } from './card.js';
import type { SlideFacts } from './compile-slide.js';
import { datasetFacts, inputHash, type SlideDataset } from './dataset.js';
import type { PrecutFacts } from './precut-patches.js';
import { type CompileReport, type SlideFailure, unknownName } from './report.js';
import type { ShardQueue } from './shard-queue.js';
import type { Work } from './shard-tasks.js';

/**
 * Writes index, report and card from the existing shards only.
 *
 * @param options.removeOrphans removes shards that are not in the list
 * @returns also the folder's other tar files, and removed shards of an earlier list
 * @throws Error when a shard is damaged, missing, or was replaced
 */
export async function finishFolder(
  dataset: SlideDataset,
  { tasks, settings }: Work,
  queue: ShardQueue,
  { removeOrphans }: { removeOrphans: boolean },
): Promise<{ report: CompileReport; orphans: string[]; removed: string[] }> {
  const { folder, failures, inputHashes } = queue;
  for (const name of ['index.arrow', 'report.json', 'CARD.md', 'CARD.json']) {
    await removeUnfinished(join(folder, name));
  }
  const failed = new Set(failures.map(({ slide }) => slide));
  const shards: IndexedShard[] = [];
  const slides: CompileReport['slides'][number][] = [];
  const precut = { shards: 0, copied: 0, encoded: 0 };
  const failedPatches: SlideFailure[] = [];
  const bySplit: Record<string, number> = {};
  const counts = { patches: 0, bytes: 0, byClass: {}, byPatient: {}, bySite: {}, synthetic: 0 };
  for (const id of tasks.map((task) => task.id).sort()) {
    if (failed.has(id)) continue;
    const shard = `${id}.tar`;
    const content = await readShard<SlideFacts | PrecutFacts>(join(folder, shard)).catch((error: Error) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw changedShard(folder, id);
      throw new Error(`${error.message}; delete it and compile again`, { cause: error });
    });
    if (content.inputHash !== inputHashes.get(id)) throw changedShard(folder, id);
    const { slide, patches } = content;
    shards.push(
      packShard({ shard, slide: id, patient: slide.patient, site: slide.site, synthetic: slide.synthetic }, patches),
    );
    if ('failed' in slide) {
      precut.shards++;
      precut.copied += slide.copied;
      precut.encoded += slide.encoded;
      failedPatches.push(...slide.failed);
    } else slides.push({ ...slide, shard });
    for (const { facts, image, mask } of patches) {
      counts.patches++;
      counts.bytes += image.length + (mask?.length ?? 0);
      if (facts.synthetic) counts.synthetic++;
      count(counts.byClass, facts.class);
      count(counts.byPatient, facts.patient);
      count(counts.bySite, facts.site);
      if (facts.split !== undefined) count(bySplit, facts.split);
    }
  }
  const all = [...failures, ...failedPatches].sort((one, other) => (one.slide < other.slide ? -1 : 1));
  if (counts.patches === 0) {
    const reasons = all.slice(0, 3).map(({ slide, reason }) => `  ${slide}: ${reason}`);
    // Only tiles are left out without a failure.
    if (reasons.length === 0) throw new Error('no tile has the minimum tissue (--tissue); ask for less');
    throw new Error(`none of the patches can be used. The first reasons:\n${reasons.join('\n')}`);
  }
  const report: CompileReport = {
    ...datasetFacts(dataset.definition),
    inputHash: inputHash(dataset),
    shardVersion,
    jpegQuality,
    settings,
    settingsHash: basename(folder),
    slides,
    ...(dataset.definition.unit === 'patches' && { precut }),
    failures: all,
    excluded: byReason(dataset.excluded ?? []),
    counts: { ...counts, ...(Object.keys(bySplit).length > 0 && { bySplit }) },
  };
  const [indexPath, reportPath] = [join(folder, 'index.arrow'), join(folder, 'report.json')];
  const index = shardIndex(shards);
  const there = await readFile(indexPath).catch(() => undefined);
  // A folder without a report is not a dataset, so that an interrupt never leaves a new index with an old report.
  if (!there?.equals(index)) await rm(reportPath, { force: true });
  const listed = new Set(tasks.map(({ id }) => `${id}.tar`));
  // Otherwise a reader of all shards in the folder would read precut patches of two lists twice.
  const mayGo = (name: string) =>
    removeOrphans || (report.precut !== undefined && /^patches-\d+-of-\d+\.tar$/.test(name));
  const removed = await removeShards(folder, (name) => !listed.has(name) && mayGo(name));
  await queue.removeOutdated();
  await writeFileAtomic(indexPath, index);
  const card = cardContent(report);
  await writeFileAtomic(join(folder, 'CARD.md'), cardMarkdown(card));
  await writeFileAtomic(join(folder, 'CARD.json'), `${JSON.stringify(card, null, 2)}\n`);
  await writeFileAtomic(reportPath, `${canonicalJson(report)}\n`);
  const own = new Set(shards.map(({ shard }) => shard));
  const orphans = (await readdir(folder)).filter((name) => name.endsWith('.tar') && !own.has(name)).sort();
  return { report, orphans, removed };
}

/** Of files that are not shards of ours, none: they are somebody's. */
async function removeShards(folder: string, wanted: (name: string) => boolean): Promise<string[]> {
  const removed: string[] = [];
  for (const name of (await readdir(folder)).sort()) {
    if (!name.endsWith('.tar') || !wanted(name)) continue;
    const path = join(folder, name);
    if ((await shardInputHash(path).catch(() => undefined)) === undefined) continue;
    await rm(path);
    removed.push(name);
  }
  return removed;
}

function changedShard(folder: string, id: string): Error {
  return new Error(
    `${join(folder, `${id}.tar`)} is missing or was replaced: another process changed it. Compile again`,
  );
}

function count(counts: Record<string, number>, name: string | null): void {
  const key = name ?? unknownName;
  counts[key] = (counts[key] ?? 0) + 1;
}
