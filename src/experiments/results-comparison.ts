import type { Key } from '../base/index.js';
import {
  type ArmComparison,
  type ClassifiedCases,
  classificationMetrics,
  compareArms,
  holm,
  type MetricDefinition,
  type PatientResults,
  type SegmentedCases,
} from '../evaluate/index.js';
import { comparisonFamily } from './finetune-comparison.js';
import type { ResultGroup } from './results-groups.js';
import { papersMetric } from './results-paper.js';

/** A column: what each arm is worth, and the differences. */
export interface ComparedGroup {
  group: ResultGroup;
  /** Adjusted over the family of its scale. */
  comparison: ArmComparison;
  /** The main metric on the test patients of each site alone; empty unless two sites or more are known. */
  sites: readonly { site: string; patients: number; comparison: ArmComparison }[];
}

const baselines = ['random', 'ImageNet'];
/** Of more, those with the most test patients are shown. */
export const maxSites = 6;

/**
 * Compares the arms of each group on the same test patients. The family of a scale, named beforehand: each arm against random
 * weights and against ImageNet's, in the main metric, of all groups of the scale.
 *
 * @throws InterruptedError if `signal` aborts
 */
export async function compareGroups(
  groups: readonly ResultGroup[],
  { key, resamples, signal }: { key: Key; resamples?: number; signal?: AbortSignal },
): Promise<ComparedGroup[]> {
  const options = { key, resamples, signal };
  const compared: ComparedGroup[] = [];
  for (const group of groups) {
    const { experiment, arms, scale } = group;
    const { main, metrics } = experiment.task;
    const names = Object.keys(arms);
    const comparisons = names.some((name) => baselines.includes(name)) ? comparisonFamily(experiment, names) : [];
    const family = { name: `all columns at ${scale} scale`, comparisons };
    const shown = { [main]: metrics[main]!, ...besidesMain(group) };
    const comparison = await compareArms({ arms, metrics: shown, family, ...options });
    compared.push({ group, comparison, sites: await bySite(group, options) });
  }
  return [...new Set(groups.map(({ scale }) => scale))].flatMap((scale) =>
    adjusted(compared.filter(({ group }) => group.scale === scale)),
  );
}

/** Calibration of classification; of masks the paper's mIoU, which its numbers are of. */
function besidesMain({ experiment: { task } }: ResultGroup): Record<string, MetricDefinition<PatientResults>> {
  if (task.masks) return { [papersMetric(task)]: task.metrics[papersMetric(task)]! };
  return { calibrationError: classificationMetrics.calibrationError as unknown as MetricDefinition<PatientResults> };
}

function adjusted(compared: readonly ComparedGroup[]): ComparedGroup[] {
  const all = compared.flatMap(({ comparison }) => comparison.differences);
  const values = new Map(holm(all.map(({ p }) => p.value)).map((p, place) => [all[place]!, p]));
  return compared.map(({ comparison, ...rest }) => ({
    ...rest,
    comparison: {
      ...comparison,
      differences: comparison.differences.map((of) => ({ ...of, adjustedP: values.get(of)! })),
      // What is said of p-values there is of one group.
      notes: comparison.notes.filter((note) => !note.startsWith('P-values')),
    },
  }));
}

/** Accuracy of patches, which exists for every site, or the main metric of masks. */
async function bySite(
  { cases, experiment: { task }, arms }: ResultGroup,
  options: { key: Key; resamples?: number; signal?: AbortSignal },
): Promise<ComparedGroup['sites']> {
  const counts = new Map<string, number[]>();
  for (const [patient, site] of cases.sites.entries()) {
    if (site !== null) counts.set(site, [...(counts.get(site) ?? []), patient]);
  }
  if (counts.size < 2) return [];
  const largest = [...counts].sort(([one, of], [other, others]) => others.length - of.length || (one < other ? -1 : 1));
  const metric = task.masks
    ? task.metrics[task.main]!
    : (classificationMetrics.accuracy as unknown as MetricDefinition<PatientResults>);
  const found: { site: string; patients: number; comparison: ArmComparison }[] = [];
  for (const [site, patients] of largest.slice(0, maxSites)) {
    const own = Object.fromEntries(
      Object.entries(arms).map(([arm, runs]) => [
        arm,
        runs.map((run) => ({ ...run, results: ofPatients(run.results as ClassifiedCases | SegmentedCases, patients) })),
      ]),
    );
    const comparison = await compareArms({ arms: own, metrics: { [metric.label]: metric }, ...options });
    found.push({ site, patients: patients.length, comparison });
  }
  return found;
}

/** Results of some patients alone, by their places. */
export function ofPatients(results: ClassifiedCases | SegmentedCases, kept: readonly number[]): PatientResults {
  const of = <Value>(values: readonly Value[]) => kept.map((patient) => values[patient]!);
  const shared = { ...results, patients: of(results.patients), casesOf: of(results.casesOf) };
  if ('confusion' in results) {
    return { ...shared, confusion: of(results.confusion), boundaries: of(results.boundaries) } as SegmentedCases;
  }
  const { probabilities, labels, patientOf, classNames } = results;
  const places = new Map(kept.map((patient, place) => [patient, place]));
  const rows = [...labels.keys()].filter((row) => places.has(patientOf[row]!));
  return {
    ...shared,
    labels: Int32Array.from(rows, (row) => labels[row]!),
    patientOf: Int32Array.from(rows, (row) => places.get(patientOf[row]!)!),
    probabilities: Float32Array.from(
      rows.flatMap((row) => [...probabilities.subarray(row * classNames.length, (row + 1) * classNames.length)]),
    ),
  } as ClassifiedCases;
}
