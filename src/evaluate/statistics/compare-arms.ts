import { inTurns, type Key } from '../../base/index.js';
import {
  difference,
  type MetricDefinition,
  type MetricValue,
  once,
  type PatientMetric,
  type PatientResults,
  type Unit,
} from '../metrics/metric.js';
import { type Arms, type Comparison, checkArms, checkComparisons, type Run } from './arms.js';
import { bootstrapValues, defaultResamples, minPatients, percentileEnds, standardError } from './bootstrap.js';
import { holm } from './holm.js';
import { bootstrapMethod, type Interval } from './intervals.js';
import { type SeedSpread, seedSpread } from './seed-spread.js';
import { signFlipTest } from './sign-flip.js';

/** With fewer patients (or slides, patches), bootstrap intervals are too narrow. */
const manyPatients = 20;

const tooFewDraws = (unit: Unit) => `the metric does not exist on more than 5 % of the draws of ${unit}`;

/** A metric of an arm: the mean over its runs. */
export interface ArmMetric {
  arm: string;
  metric: string;
  value: MetricValue;
  /** Of the mean over these runs, by bootstrap over the unit; null if there is none (`notes` say why). */
  interval: Interval | null;
  runs: number;
  /** Standard deviations by source; that of patients (or what stands for them) is the bootstrap's standard error. */
  spread: SeedSpread & { patients: number | null };
}

export interface ArmDifference extends Comparison {
  /** Of each arm, how many of its runs have a fine-tuning seed that the other has too: the difference is of these. */
  runs: [number, number];
  value: MetricValue;
  /** By bootstrap over the unit, the same draws for both arms; null if there is none. */
  interval: Interval | null;
  /** Two-sided; null if there is none. */
  p: MetricValue;
  /** How the p-value was made, in words. */
  test: string | null;
  /** By Holm over the family. */
  adjustedP: number;
}

export interface ArmComparison {
  arms: string[];
  /** Names and headings. */
  metrics: Record<string, string>;
  /** What the intervals resample, and their number. */
  groups: { of: Unit; count: number };
  /** By arm, then by metric. */
  values: ArmMetric[];
  differences: ArmDifference[];
  /** What must be said below the table: the unit and its number, how intervals and p-values were made, what is missing. */
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
  /** Of the bootstrap, and of ways to swap where the sign-flip test cannot take all. */
  resamples?: number;
  key: Key;
  signal?: AbortSignal;
}

/**
 * Compares arms as a paper's table does: each metric as the mean over an arm's runs, with an interval, and the differences
 * of a family of comparisons with adjusted p-values. The unit is the patient, or what the results say: all intervals come
 * from the same draws of patients. P-values are those of the sign-flip test, which swaps whole patients between runs of the
 * same fine-tuning seed (see `signFlipTest`). A difference is of the fine-tuning seeds that both arms have; without any there
 * is none. With fewer than five patients there is no interval. The event loop stays free.
 *
 * @throws RangeError if runs have different patients or cases, seeds repeat, or a comparison names what is not there
 * @throws InterruptedError if `signal` aborts
 */
export async function compareArms<R extends PatientResults>(options: CompareArmsOptions<R>): Promise<ArmComparison> {
  return inTurns(comparison(options), 'the comparison of arms', options.signal);
}

function* comparison<R extends PatientResults>(options: CompareArmsOptions<R>): Generator<void, ArmComparison> {
  const { arms, metrics, family, level = 0.95, resamples = defaultResamples, key } = options;
  const shared = checkArms(arms);
  const { patients, casesOf, unit } = shared;
  checkComparisons(family?.comparisons ?? [], arms, metrics);
  const all = once(shared);
  const cells = Object.entries(arms).flatMap(([arm, runs]) =>
    Object.entries(metrics).map(([metric, definition]) => {
      const ofRuns = runs.map(({ results }) => definition.of(results));
      return { arm, metric, runs, ofRuns, mean: meanOfRuns(ofRuns) };
    }),
  );
  const pairs = (family?.comparisons ?? []).map((comparison) => {
    const [runs, others] = [arms[comparison.arm]!, arms[comparison.against]!];
    return { comparison, sides: [ofSeedsIn(others, runs), ofSeedsIn(runs, others)] as const };
  });
  // The mean of an arm's runs, or of those alone that a difference is of.
  const means = cells.map(({ mean }) => mean);
  const meanOf = (arm: string, metric: string, kept: readonly Run<R>[]) => {
    const cell = cells.findIndex((each) => each.arm === arm && each.metric === metric);
    const { runs, ofRuns } = cells[cell]!;
    if (kept.length === runs.length) return cell;
    return means.push(meanOfRuns(ofRuns.filter((_, run) => kept.includes(runs[run]!)))) - 1;
  };
  const compared = pairs.map(({ comparison, sides: [runs, others] }) => {
    const { arm, against, metric } = comparison;
    const places = runs.length === 0 ? null : [meanOf(arm, metric, runs), meanOf(against, metric, others)];
    return { comparison, runs, others, places: places as [number, number] | null };
  });
  const enough = patients.length >= minPatients;
  const resampled = enough ? yield* bootstrapValues(means, patients.length, { resamples, key }) : undefined;
  const cases = casesOf.reduce((sum, count) => sum + count, 0);
  const method = bootstrapMethod(patients.length, unit, cases, resamples);
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
  const tested: Omit<ArmDifference, 'adjustedP'>[] = [];
  for (const { comparison, runs, others, places } of compared) {
    const of = { ...comparison, runs: [runs.length, others.length] as [number, number] };
    if (!places) {
      const none = { value: null, reason: 'the arms have no fine-tuning seed in common' };
      tested.push({ ...of, value: none, interval: null, p: none, test: null });
      continue;
    }
    const [one, other] = places;
    const [drawnOne, drawnOther] = [resampled?.[one], resampled?.[other]];
    const drawn = drawnOther && drawnOne?.map((value, draw) => value - drawnOther[draw]!);
    const value = difference(means[one]!(all), means[other]!(all));
    const found = yield* signFlipP(metrics[comparison.metric]!, runs, others, { unit, resamples, key });
    tested.push({ ...of, value, interval: intervalOf(drawn), ...found });
  }
  const adjusted = holm(tested.map(({ p }) => p.value));
  const differences = tested.map((of, place) => ({ ...of, adjustedP: adjusted[place]! }));
  const headings = Object.fromEntries(Object.entries(metrics).map(([name, { label }]) => [name, label]));
  const groups = { of: unit, count: patients.length };
  const found = { arms: Object.keys(arms), metrics: headings, groups, values, differences };
  return { ...found, notes: notesOf(found, { method, level, family: family?.name }) };
}

/** Runs whose fine-tuning seed one of the others has too. */
function ofSeedsIn<R extends PatientResults>(others: readonly Run<R>[], runs: readonly Run<R>[]): readonly Run<R>[] {
  const seeds = new Set(others.map(({ fineTuningSeed }) => fineTuningSeed));
  return runs.filter(({ fineTuningSeed }) => seeds.has(fineTuningSeed));
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

type Tested = Pick<ArmDifference, 'p' | 'test'>;

/** Sign-flip p-value: swaps a patient's results of all runs, each with its partner in the other arm. */
function* signFlipP<R extends PatientResults>(
  definition: MetricDefinition<R>,
  runs: readonly Run<R>[],
  others: readonly Run<R>[],
  { unit, ...options }: { unit: Unit; resamples: number; key: Key },
): Generator<void, Tested> {
  const pairs = pairedRuns(runs, others);
  if (!pairs) {
    const reason =
      `the sign-flip test pairs runs of the same fine-tuning seed, and some of the ${runs.length} and ${others.length} runs` +
      ' have no partner';
    return { p: { value: null, reason }, test: null };
  }
  const patients = runs[0]!.results.patients.length;
  const metrics = pairs.map(([run, other]) => definition.of(run.results, other.results));
  const { p, exact } = yield* signFlipTest(metrics, patients, options);
  if (p.value === null) return { p, test: null };
  const test = exact
    ? `exact sign-flip test over ${patients} ${unit} (at least ${2 / 2 ** patients})`
    : `sign-flip test over ${patients} ${unit}, of ${options.resamples} ways to swap drawn at random (at least ` +
      `${Number((1 / (options.resamples + 1)).toPrecision(2))})`;
  return { p, test };
}

/**
 * Pairs of the same fine-tuning seed, each run of an arm in as many of them, also where one arm has more pretraining seeds.
 * Undefined if that cannot be.
 */
function pairedRuns<R extends PatientResults>(
  runs: readonly Run<R>[],
  others: readonly Run<R>[],
): [Run<R>, Run<R>][] | undefined {
  const pairs = leastCommonMultiple(runs.length, others.length);
  const repeated = (of: readonly Run<R>[]) => {
    const sorted = [...of].sort((one, other) => (one.fineTuningSeed ?? -1) - (other.fineTuningSeed ?? -1));
    return Array.from({ length: pairs }, (_, pair) => sorted[Math.floor((pair * of.length) / pairs)]!);
  };
  const [first, second] = [repeated(runs), repeated(others)];
  const same = first.every(({ fineTuningSeed }, pair) => fineTuningSeed === second[pair]!.fineTuningSeed);
  return same ? first.map((run, pair) => [run, second[pair]!]) : undefined;
}

function leastCommonMultiple(one: number, other: number): number {
  let multiple = one;
  while (multiple % other !== 0) multiple += one;
  return multiple;
}

function notesOf(
  { metrics, groups: { of: unit, count }, values, differences }: Omit<ArmComparison, 'notes'>,
  { method, level, family }: { method: string; level: number; family?: string },
): string[] {
  const few = count < manyPatients;
  const notes = [
    count < minPatients
      ? `${count} ${unit} are too few for an interval.`
      : `Intervals (${100 * level} %): ${method}; seeds are held fixed.` +
        (few ? ` Over fewer than ${manyPatients} ${unit} they are too narrow.` : ''),
  ];
  if (unit === 'patches') notes.push('Neither patients nor slides are known: cases are treated as independent.');
  const tests = [...new Set(differences.flatMap(({ test }) => test ?? []))].map((test) => {
    const of = differences.flatMap((each) => (each.test === test ? metrics[each.metric]! : []));
    return { test, metrics: [...new Set(of)].join(', ') };
  });
  const inFamily = differences.filter(({ p }) => p.value !== null).length;
  if (tests.length > 0) {
    const how = tests.map(({ test, metrics }) => (tests.length > 1 ? `${metrics}, ${test}` : test)).join('; ');
    notes.push(
      `P-values: ${how}, two-sided; adjusted by Holm over "${family}" (${inFamily} ${inFamily === 1 ? 'comparison' : 'comparisons'}, named before` +
        ' the results were seen).',
    );
  }
  for (const { arm, metric, value, interval } of values) {
    const what = `${arm}, ${metrics[metric]}`;
    if (value.value === null) notes.push(`${what}: no value, since ${value.reason}.`);
    else if (!interval && count >= minPatients) notes.push(`${what}: no interval, since ${tooFewDraws(unit)}.`);
  }
  const runsOf = (arm: string) => values.find((each) => each.arm === arm)!.runs;
  for (const { arm, against, metric, value, p, runs } of differences) {
    const [all, others] = [runsOf(arm), runsOf(against)];
    const isPart = runs[0] < all || runs[1] < others;
    if (isPart && runs[0] > 0) {
      notes.push(
        `${arm} minus ${against}, ${metrics[metric]}: of the fine-tuning seeds that both have, ${runs[0]} of ${all} and ` +
          `${runs[1]} of ${others} runs.`,
      );
    }
    if (runs[0] === 0 && value.value === null) {
      notes.push(`${arm} minus ${against}, ${metrics[metric]}: no difference, since ${value.reason}.`);
    } else if (p.value === null)
      notes.push(`${arm} minus ${against}, ${metrics[metric]}: no p-value, since ${p.reason}.`);
  }
  return notes;
}
