import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, writeFileAtomic } from '../../runs/index.js';
import { type IndexedShard, packShard, readShard, shardIndex, shardVersion } from '../shards/index.js';
import { cardContent, cardMarkdown } from './card.js';
import type { SlideFacts } from './compile-slide.js';
import { aboutDataset, type CutSettings, jpegQuality, type SlideDataset, settingsHash } from './dataset.js';
import { type CompileReport, type SlideFailure, unknownName } from './report.js';

/**
 * Writes index, report and card from the shards that are there. They depend on the shards alone, so that it does not
 * matter who writes them last.
 *
 * @throws Error when a shard is damaged
 */
export async function finishFolder(
  folder: string,
  dataset: SlideDataset,
  settings: CutSettings,
  failures: readonly SlideFailure[],
): Promise<CompileReport> {
  const failed = new Set(failures.map(({ slide }) => slide));
  const shards: IndexedShard[] = [];
  const slides: CompileReport['slides'][number][] = [];
  const counts = { patches: 0, bytes: 0, byClass: {}, byPatient: {}, bySite: {}, synthetic: 0 };
  for (const id of dataset.slides.map((slide) => slide.id).sort()) {
    if (failed.has(id)) continue;
    const shard = `${id}.tar`;
    const { slide, patches } = await readShard<SlideFacts>(join(folder, shard)).catch((error: Error) => {
      throw new Error(`${error.message}; delete it and compile again`, { cause: error });
    });
    shards.push(
      packShard({ shard, slide: id, patient: slide.patient, site: slide.site, synthetic: slide.synthetic }, patches),
    );
    slides.push({ ...slide, shard });
    for (const { facts, image, mask } of patches) {
      counts.patches++;
      counts.bytes += image.length + (mask?.length ?? 0);
      if (facts.synthetic) counts.synthetic++;
      count(counts.byClass, facts.class);
      count(counts.byPatient, facts.patient);
      count(counts.bySite, facts.site);
    }
  }
  const report: CompileReport = {
    ...aboutDataset(dataset.definition),
    shardVersion,
    jpegQuality,
    settings,
    settingsHash: settingsHash(settings),
    slides,
    failures: [...failures].sort((one, other) => (one.slide < other.slide ? -1 : 1)),
    counts,
  };
  const [indexPath, reportPath] = [join(folder, 'index.arrow'), join(folder, 'report.json')];
  const index = shardIndex(shards);
  const there = await readFile(indexPath).catch(() => undefined);
  // A folder without a report is no dataset: whatever stops this process, a new index never lies beside an old report.
  if (!there?.equals(index)) await rm(reportPath, { force: true });
  await writeFileAtomic(indexPath, index);
  const card = cardContent(report);
  await writeFileAtomic(join(folder, 'CARD.md'), cardMarkdown(card));
  await writeFileAtomic(join(folder, 'CARD.json'), `${JSON.stringify(card, null, 2)}\n`);
  await writeFileAtomic(reportPath, `${canonicalJson(report)}\n`);
  return report;
}

function count(counts: Record<string, number>, name: string | null): void {
  const key = name ?? unknownName;
  counts[key] = (counts[key] ?? 0) + 1;
}
