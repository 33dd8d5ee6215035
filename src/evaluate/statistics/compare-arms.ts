import type { Key } from '../../base/index.js';
import {
  type MetricDefinition,
  type MetricValue,
  once,
  type PatientMetric,
  type PatientResults,
} from '../metrics/metric.js';
import { type Arms, type Comparison, checkArms, checkComparisons, type Run } from './arms.js';
import { bootstrapPValue, bootstrapValues, minPatients, percentileEnds, standardError } from './bootstrap.js';
import { holm } from './holm.js';
import { bootstrapMethod, type Interval } from './intervals.js';
import { type SeedSpread, seedSpread } from './seed-spread.js';
import { signFlipPValue } from './sign-flip.js';

/** With fewer patients, p-values are exact. */
const manyPatients = 20;

const tooFewDraws = 'the metric does not exist on more than 5 % of the draws of patients';

/** A metric of an arm: the mean over its runs. */
export interface ArmMetric {
  arm: string;
  metric: string;
  value: MetricValue;
  /** Of the mean over these runs, by bootstrap over patients; null if there is none (`notes` say why). */
  interval: Interval | null;
  runs: number;
  /** Standard deviations by source; that of patients is the bootstrap's standard error. */
  spread: SeedSpread & { patients: number | null };
}

export interface ArmDifference extends Comparison {
  value: MetricValue;
  /** By bootstrap over patients, the same draws for both arms; null if there is none. */
  interval: Interval | null;
  /** Two-sided; null if there is none. */
  p: MetricValue;
  /** By Holm over the family. */
  adjustedP: number;
}

export interface ArmComparison {
  arms: string[];
  /** Names and headings. */
  metrics: Record<string, string>;
  /** By arm, then by metric. */
  values: ArmMetric[];
  differences: ArmDifference[];
  /** What must be said below the table: how many patients, how intervals and p-values were made, what is missing. */
  notes: string[];
}

export interface CompareArmsOptions<R extends PatientResults> {
  /** Runs of each arm, on the same test patients. */
  arms: Arms<R>;
  metrics: Readonly<Record<string, MetricDefinition<R>>>;
  /** The comparisons to test, named before looking: p-values are adjusted for their number. */
  family?: { name: string; comparisons: readonly Comparison[] };
  /** Coverage of intervals. */
  level?: number;
  resamples?: number;
  key: Key;
}

/**
 * Compares arms as a paper's table does: each metric as the mean over an arm's runs, with an interval, and the differences
 * of a family of comparisons with adjusted p-values. The unit is the patient: all intervals come from the same draws of
 * patients. With fewer than 20 patients, p-values are those of the exact sign-flip test, which swaps whole patients
 * between the arms; with more, of the bootstrap. With fewer than five patients there is no interval.
 *
 * @throws RangeError if runs have different patients or cases, seeds repeat, or a comparison names what is not there
 */
export function compareArms<R extends PatientResults>(options: CompareArmsOptions<R>): ArmComparison {
  const { arms, metrics, family, level = 0.95, resamples, key } = options;
  const shared = checkArms(arms);
  const { patients, casesOf } = shared;
  checkComparisons(family?.comparisons ?? [], arms, metrics);
  const all = once(shared);
  const cells = Object.entries(arms).flatMap(([arm, runs]) =>
    Object.entries(metrics).map(([metric, definition]) => {
      const ofRuns = runs.map(({ results }) => definition.of(results));
      return { arm, metric, runs, ofRuns, mean: meanOfRuns(ofRuns) };
    }),
  );
  const enough = patients.length >= minPatients;
  const resampled = enough
    ? bootstrapValues(
        cells.map(({ mean }) => mean),
        patients.length,
        { resamples, key },
      )
    : undefined;
  const cases = casesOf.reduce((sum, count) => sum + count, 0);
  const method = bootstrapMethod(patients.length, 'patients', cases, resamples);
  const intervalOf = (drawn: Float64Array | undefined): Interval | null => {
    const ends = drawn && percentileEnds(drawn, level);
    return ends ? { ...ends, level, method } : null;
  };
  const values = cells.map(({ arm, metric, runs, ofRuns, mean }, cell): ArmMetric => {
    const drawn = resampled?.[cell];
    const seeded = runs.flatMap(({ pretrainingSeed, fineTuningSeed }, run) => {
      const { value } = ofRuns[run]!(all);
      return value === null ? [] : [{ pretrainingSeed, fineTuningSeed, value }];
    });
    const spread = { ...seedSpread(seeded), patients: drawn ? standardError(drawn) : null };
    return { arm, metric, value: mean(all), interval: intervalOf(drawn), runs: runs.length, spread };
  });
  const tested = (family?.comparisons ?? []).map((comparison) => {
    const [one, other] = [comparison.arm, comparison.against].map((arm) =>
      cells.findIndex((cell) => cell.arm === arm && cell.metric === comparison.metric),
    ) as [number, number];
    const [drawnOne, drawnOther] = [resampled?.[one], resampled?.[other]];
    const drawn = drawnOther && drawnOne?.map((value, draw) => value - drawnOther[draw]!);
    const value = difference(cells[one]!.mean(all), cells[other]!.mean(all));
    const p =
      patients.length < manyPatients
        ? exactP(metrics[comparison.metric]!, cells[one]!.runs, cells[other]!.runs)
        : bootstrapP(drawn!);
    return { ...comparison, value, interval: intervalOf(drawn), p };
  });
  const adjusted = holm(tested.map(({ p }) => p.value));
  const differences = tested.map((of, place) => ({ ...of, adjustedP: adjusted[place]! }));
  const headings = Object.fromEntries(Object.entries(metrics).map(([name, { label }]) => [name, label]));
  const comparison = { arms: Object.keys(arms), metrics: headings, values, differences };
  return {
    ...comparison,
    notes: notesOf(comparison, { patients: patients.length, method, level, family: family?.name }),
  };
}

function meanOfRuns(runs: readonly PatientMetric[]): PatientMetric {
  return (draws) => {
    let sum = 0;
    for (const run of runs) {
      const value = run(draws);
      if (value.value === null) return value;
      sum += value.value;
    }
    return { value: sum / runs.length };
  };
}

function difference(one: MetricValue, other: MetricValue): MetricValue {
  if (one.value === null) return one;
  return other.value === null ? other : { value: one.value - other.value };
}

function bootstrapP(differences: Float64Array): MetricValue {
  const p = bootstrapPValue(differences);
  return p === null ? { value: null, reason: tooFewDraws } : { value: p };
}

/** Sign-flip p-value: swaps a patient's results of all runs, each with the run of the other arm at the same place. */
function exactP<R extends PatientResults>(
  definition: MetricDefinition<R>,
  runs: readonly Run<R>[],
  others: readonly Run<R>[],
): MetricValue {
  if (runs.length !== others.length) {
    const reason = `the sign-flip test pairs runs, but the arms have ${runs.length} and ${others.length}`;
    return { value: null, reason };
  }
  const both = meanOfRuns(runs.map(({ results }, run) => definition.of(results, others[run]!.results)));
  const patients = runs[0]!.results.patients.length;
  const draws = new Float64Array(2 * patients);
  let missing: MetricValue | undefined;
  const p = signFlipPValue(patients, (swapped) => {
    for (let patient = 0; patient < patients; patient++) {
      draws[patient] = 1 - swapped[patient]!;
      draws[patients + patient] = swapped[patient]!;
    }
    const one = both(draws);
    const value = difference(one, both(draws.map((times) => 1 - times)));
    if (value.value === null) missing = value;
    return value.value;
  });
  return p === null ? missing! : { value: p };
}

function notesOf(
  { metrics, values, differences }: Omit<ArmComparison, 'notes'>,
  { patients, method, level, family }: { patients: number; method: string; level: number; family?: string },
): string[] {
  const few = patients < manyPatients;
  const notes = [
    patients < minPatients
      ? `${patients} patients are too few for an interval.`
      : `Intervals (${100 * level} %): ${method}; seeds are held fixed.` +
        (few ? ` Over fewer than ${manyPatients} patients they are too narrow.` : ''),
  ];
  if (differences.length > 0) {
    const test = few
      ? `exact sign-flip test over ${patients} patients (at least ${2 / 2 ** patients})`
      : 'bootstrap over patients';
    notes.push(
      `P-values: ${test}, two-sided; adjusted by Holm over "${family}" (${differences.length} ${differences.length === 1 ? 'comparison' : 'comparisons'}, named before` +
        ' the results were seen).',
    );
  }
  for (const { arm, metric, value, interval } of values) {
    const what = `${arm}, ${metrics[metric]}`;
    if (value.value === null) notes.push(`${what}: no value, since ${value.reason}.`);
    else if (!interval && patients >= minPatients) notes.push(`${what}: no interval, since ${tooFewDraws}.`);
  }
  for (const { arm, against, metric, p } of differences) {
    if (p.value === null) notes.push(`${arm} minus ${against}, ${metrics[metric]}: no p-value, since ${p.reason}.`);
  }
  return notes;
}
