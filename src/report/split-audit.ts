import { interruptSignal } from '../base/index.js';
import {
  type AuditedImages,
  auditRules,
  type CompiledDataset,
  type CompileReport,
  type FoldAudit,
  type GroupBy,
  imagesOfShards,
  nearDuplicateImages,
  type PlantedFinding,
  plantedFindings,
  type RuleAudits,
  type SplitRule,
} from '../datasets/index.js';
import type { ExperimentDataset } from '../experiments/index.js';
import type { Run } from '../runs/index.js';
import { showText } from './display.js';
import { showImageGrid } from './image-grid.js';
import { withProgress } from './progress.js';
import { formatValue, showTable } from './table.js';

/** What is known of the splits of a compiled dataset. */
export interface SplitAuditResult {
  report: CompileReport;
  patches: AuditedImages;
  /** The rule whose shares were used. */
  rule: SplitRule;
  audits: RuleAudits;
  planted: readonly PlantedFinding[];
}

/** Compares the patches of a compiled dataset with one another, and audits splits by slide, by patient and by site. */
export async function auditSplits(
  { planted, split }: Pick<ExperimentDataset, 'planted' | 'split'>,
  { folder, report }: CompiledDataset,
): Promise<SplitAuditResult> {
  const patches = await withProgress('shards compared', (onProgress) =>
    imagesOfShards(folder, { onProgress, signal: interruptSignal() }),
  );
  const audits = auditRules(patches, split);
  return { report, patches, rule: split, audits, planted: plantedFindings(planted, patches, audits) };
}

/**
 * Shows what leaks across splits: patients, sites and equal patches, whether leaks that were planted are found, and
 * patches that look alike. Writes `split-audit.csv` and `figures/look-alike.png` to the run's folder.
 */
export async function showSplitAudit(run: Run, audit: SplitAuditResult): Promise<void> {
  const { report, patches, rule, audits, planted } = audit;
  const unit = report.precut ? 'patch' : 'slide';
  const isSmall = rule.validation !== report.split.validation || rule.test !== report.split.test;
  showText(
    `${report.dataset} is split ${report.splitRule}. ` +
      (isSmall
        ? `For so few slides these fractions are too small; this page uses ${100 * rule.validation} % and ${100 * rule.test} %. `
        : '') +
      `The audit splits by ${unit}, by patient, by patient with patients counted as one if their patches look alike, and ` +
      'by site. It counts leaks across splits: patients, sites, patches with the same bytes, and pairs of patches whose ' +
      'perceptual hashes are close.',
  );
  const name = (by: GroupBy) => (by === 'slide' ? unit : by);
  if (audits.folds.length > 0) await showRuleAudits(audits, name, run.file('split-audit.csv'));
  for (const { by, reason } of audits.impossible) showText(`There is no split by ${name(by)}: ${reason}.`);
  if (planted.length > 0) await showPlantedLeaks(planted);
  if (audits.folds.length > 0) await showNearDuplicates(patches, audits, name, run.figure('look-alike.png'));
}

/** What each rule leaks across splits, fold by fold where folds differ. */
async function showRuleAudits(
  { name, folds, distance, compared, total }: RuleAudits,
  nameOf: (by: GroupBy) => string,
  save: string,
): Promise<void> {
  const rules = [...new Set(folds.map(({ by }) => by))];
  const rows = rules.map((by) => {
    const own = folds.filter((fold) => fold.by === by);
    const leaks = (kind: string) => own.map(({ audit }) => audit.leaks.filter((leak) => leak.kind === kind).length);
    const patches = (name: string) => own.map(({ audit }) => audit.counts[name] ?? 0);
    return {
      by: nameOf(by),
      train: perFold(patches('train')),
      validation: perFold(patches('validation')),
      test: perFold(patches('test')),
      patients: perFold(leaks('patient')),
      sites: perFold(leaks('site')),
      bytes: perFold(leaks('exact duplicate')),
      alike: perFold(own.map(({ audit }) => audit.nearDuplicates.length)),
    };
  });
  await showTable(rows, {
    caption:
      `${name}: across splits, fold by fold where folds differ; ` +
      (compared === total ? `all ${total} patches compared` : `all ${total} patches split, ${compared} compared`),
    columns: {
      by: 'Split by',
      train: 'Training patches',
      validation: 'Validation',
      test: 'Test',
      patients: 'Patients across splits',
      sites: 'Sites',
      bytes: 'Same bytes',
      alike: `Pairs that look alike (at most ${distance} of 256 bits differ)`,
    },
    save,
  });
}

/** One number where all folds have the same. */
function perFold(counts: readonly number[]): string {
  return counts.every((count) => count === counts[0]) ? String(counts[0]) : counts.join(', ');
}

/** Leaks that were planted in a synthetic cohort, and whether the audit finds them. */
async function showPlantedLeaks(planted: readonly PlantedFinding[]): Promise<void> {
  const kinds = {
    exact: 'the same file, which the list excludes',
    near: 'the same slide, scanned again on the same scanner',
    rescanned: "the same slide, scanned again on another site's scanner",
  };
  await showTable(
    planted.map(({ kind, slides, nearest, alike, folds }) => ({
      kind: kinds[kind],
      original: slides[0],
      duplicate: slides[1],
      nearest,
      alike: nearest === null ? null : alike,
      folds: nearest === null ? null : formatValue(folds),
    })),
    {
      caption: 'Planted leaks: SYNTHETIC slides under two patients',
      columns: {
        kind: 'Planted',
        original: 'Slide',
        duplicate: 'Its duplicate',
        nearest: 'Nearest patches, bits',
        alike: 'Pairs that look alike',
        folds: 'Folds with such a pair across splits, by split rule',
      },
    },
  );
  showText(
    'These duplicates are filed under other patients, as in real cohorts; a split by patient misses them. A scan on ' +
      'another scanner changes the hashes more than a scan on the same scanner, so few or none of its patches are ' +
      'recognized. One recognized patch is enough to link the patients.',
  );
}

/** Pairs across splits that look alike, side by side: of the fold with the most of the first rule that has any. */
async function showNearDuplicates(
  audited: AuditedImages,
  { folds, distance }: RuleAudits,
  nameOf: (by: GroupBy) => string,
  save: string,
): Promise<void> {
  const near = ({ audit }: FoldAudit) => audit.nearDuplicates;
  const first = folds.find((fold) => near(fold).length > 0);
  if (!first) {
    showText(`No rule leaves a similar pair across splits (at most ${distance} of 256 bits differ).`);
    return;
  }
  const own = folds.filter(({ by }) => by === first.by);
  const worst = own.reduce((best, fold) => (near(fold).length > near(best).length ? fold : best));
  const maxPairs = 6;
  const images = await nearDuplicateImages(near(worst), (place) => audited.read(place), {
    maxPairs,
    mark: (place) => (audited.images[place]!.synthetic ? 'SYNTHETIC' : undefined),
  });
  await showImageGrid(images, {
    columns: 4,
    cell: 230,
    title: `Split by ${nameOf(worst.by)}, fold ${worst.fold}: similar pairs across splits`,
    alt: `${Math.min(maxPairs, near(worst).length)} of ${near(worst).length} pairs of patches across splits that look alike`,
    save,
  });
}
