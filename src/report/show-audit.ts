import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type AuditedPictures,
  type CompiledDataset,
  type FoldAudit,
  nearDuplicatePictures,
  type PlantedFinding,
  type RuleAudits,
} from '../datasets/index.js';
import type { SiteLeakage } from '../evaluate/index.js';
import { showChart } from './chart.js';
import { showBundle } from './display.js';
import { showPictureGrid } from './picture-grid.js';
import { gapInWords, siteLeakageChart } from './site-leakage-chart.js';
import { inWords, showTable } from './table.js';

/** What each division leaves on two sides, fold by fold where folds differ; a row a division, and a reason where there is none. */
export async function showRuleAudits(
  { name, folds, impossible, distance, compared, total }: RuleAudits,
  options: { caption?: string; save?: string } = {},
): Promise<void> {
  const divisions = [...new Set(folds.map(({ by }) => by))];
  const rows = divisions.map((by) => {
    const own = folds.filter((fold) => fold.by === by);
    const of = (kind: string) => own.map(({ audit }) => audit.leaks.filter((leak) => leak.kind === kind).length);
    const side = (side: string) => own.map(({ audit }) => audit.counts[side] ?? 0);
    return {
      by,
      train: perFold(side('train')),
      validation: perFold(side('validation')),
      test: perFold(side('test')),
      patients: perFold(of('patient')),
      sites: perFold(of('site')),
      bytes: perFold(of('exact duplicate')),
      alike: perFold(own.map(({ audit }) => audit.nearDuplicates.length)),
    };
  });
  await showTable(rows, {
    caption:
      `${options.caption ?? name}: on two sides, fold by fold where folds differ; ` +
      (compared === total
        ? `all ${total} patches compared`
        : `all ${total} patches divided, bytes and looks of ${compared} compared`),
    columns: {
      by: 'Kept on one side',
      train: 'Training patches',
      validation: 'Validation',
      test: 'Test',
      patients: 'Patients on two sides',
      sites: 'Sites',
      bytes: 'Same bytes',
      alike: `Pairs that look alike (at most ${distance} of 256 bits differ)`,
    },
    save: options.save,
  });
  for (const { by, reason } of impossible) console.log(`There is no division by ${by}: ${reason}.`);
}

/** One number where all folds have the same. */
function perFold(counts: readonly number[]): string {
  return counts.every((count) => count === counts[0]) ? String(counts[0]) : counts.join(', ');
}

/** Leaks that were planted in a synthetic cohort, and whether the audit finds them. */
export async function showPlantedLeaks(planted: readonly PlantedFinding[]): Promise<void> {
  const kinds = {
    exact: 'the same file, which the list leaves out',
    near: 'the same slide, scanned again on the same scanner',
    rescanned: "the same slide, scanned again on another site's scanner",
  };
  await showTable(
    planted.map(({ kind, slides, nearest, alike, folds }) => ({
      kind: kinds[kind],
      original: slides[0],
      double: slides[1],
      nearest,
      alike: nearest === null ? null : alike,
      folds: nearest === null ? null : inWords(folds),
    })),
    {
      caption: 'Leaks that were planted: SYNTHETIC slides under two patients',
      columns: {
        kind: 'Planted',
        original: 'Slide',
        double: 'Its double',
        nearest: 'Nearest patches, bits',
        alike: 'Pairs that look alike',
        folds: 'Folds with such a pair on two sides, by what is kept on one side',
      },
    },
  );
}

/**
 * Shows pairs on two sides that look alike, side by side: of the fold that has the most of the first division that has
 * any. Where none has, it says so.
 */
export async function showNearDuplicates(
  audited: AuditedPictures,
  { folds, distance }: RuleAudits,
  options: { most?: number; save?: string } = {},
): Promise<void> {
  const near = ({ audit }: FoldAudit) => audit.nearDuplicates;
  const first = folds.find((fold) => near(fold).length > 0);
  if (!first) {
    console.log(`no division has two patches on two sides that differ in at most ${distance} of 256 bits`);
    return;
  }
  const own = folds.filter(({ by }) => by === first.by);
  const worst = own.reduce((best, fold) => (near(fold).length > near(best).length ? fold : best));
  const most = options.most ?? 6;
  const pictures = await nearDuplicatePictures(near(worst), (place) => audited.read(place), {
    most,
    mark: (place) => (audited.pictures[place]!.synthetic ? 'SYNTHETIC' : undefined),
  });
  await showPictureGrid(pictures, {
    columns: 4,
    cell: 230,
    title: `Divided by ${worst.by}, fold ${worst.fold}: look alike, and are on two sides`,
    alt: `${Math.min(most, near(worst).length)} of ${near(worst).length} pairs of patches on two sides that look alike`,
    save: options.save,
  });
}

/** How well colors alone tell the site and the class, beside guessing the commonest; and what the site adds for the class. */
export async function showSiteLeakage(
  leakage: SiteLeakage | null,
  options: { subtitle?: string; save?: string } = {},
): Promise<void> {
  if (leakage === null) {
    console.log(
      'colors were not asked: there is one site or class only, too few patients, or patches do not say theirs',
    );
    return;
  }
  const { spec, alt } = siteLeakageChart(leakage, options);
  await showChart(spec, { alt, save: options.save });
  const words = gapInWords(leakage.gap);
  showBundle({ 'text/plain': words, 'text/markdown': words });
}

/** Shows the card that lies beside a dataset's shards. */
export async function showDatasetCard({ folder }: CompiledDataset): Promise<void> {
  const card = await readFile(join(folder, 'CARD.md'), 'utf8');
  // Its headings stand below those of the page.
  showBundle({ 'text/plain': card, 'text/markdown': card.replace(/^#/gm, '###') });
}
