/** A metric's value, or why it has none. */
export type MetricValue = { value: number; reason?: undefined } | { value: null; reason: string };

/** What is resampled as a whole: patients where they are known, else slides, else patches. */
export type Unit = 'patients' | 'slides' | 'patches';

/** What a run's predictions on its test patients were worth; metrics are computed from it. */
export interface PatientResults {
  classNames: readonly string[];
  /** What `patients` are: where patients are unknown, slides or single patches stand for them. */
  unit: Unit;
  /** Distinct and sorted. */
  patients: readonly string[];
  /** Number of cases (patches, images) of each patient. */
  casesOf: readonly number[];
}

/** A metric of the cases of some patients; `draws[i]` is how often patient i counts. All 1 (`once`) is the metric itself. */
export interface PatientMetric {
  (draws: Float64Array): MetricValue;
  /** The same metric as it builds up; absent where it cannot without going through all cases. */
  sums?: () => PatientSums;
}

/** A metric computed from sums to which patients are added one by one, each at most once. */
export interface PatientSums {
  /** Length of the sums, which begin with 0. */
  width: number;
  /** Writes `before` with a patient's cases added into `after`. */
  add(before: Float64Array, patient: number, after: Float64Array): void;
  value(sums: Float64Array): MetricValue;
}

/** Draws that count each patient once. */
export function once({ patients }: PatientResults): Float64Array {
  return new Float64Array(patients.length).fill(1);
}

export interface MetricDefinition<R extends PatientResults> {
  /** Heading of a table. */
  label: string;
  lowerIsBetter?: true;
  /**
   * Prepares the metric for fast evaluation. Of several results, `draws` has an entry for each patient of the first,
   * then for each of the second, and so on; the metric is of all these cases together.
   */
  of(...results: R[]): PatientMetric;
}

/** Every metric of a record, of all patients. */
export function measure<R extends PatientResults, Name extends string>(
  metrics: Readonly<Record<Name, MetricDefinition<R>>>,
  results: R,
): Record<Name, MetricValue> {
  const draws = once(results);
  const entries = Object.entries<MetricDefinition<R>>(metrics);
  return Object.fromEntries(entries.map(([name, metric]) => [name, metric.of(results)(draws)])) as Record<
    Name,
    MetricValue
  >;
}

/**
 * A metric of sums over cases, such as counts: each patient's sums are added as often as the patient is drawn, so a draw
 * costs no pass over the cases.
 *
 * @param sums of each patient, all of the same length
 */
export function metricOfSums(
  sums: readonly Float64Array[],
  metric: (total: Float64Array) => MetricValue,
): PatientMetric {
  const width = sums[0]!.length;
  const total = new Float64Array(width);
  const ofDraws = (draws: Float64Array) => {
    total.fill(0);
    for (let patient = 0; patient < sums.length; patient++) {
      const times = draws[patient]!;
      if (times === 0) continue;
      const own = sums[patient]!;
      for (let place = 0; place < width; place++) total[place]! += times * own[place]!;
    }
    return metric(total);
  };
  const add: PatientSums['add'] = (before, patient, after) => {
    const own = sums[patient]!;
    for (let place = 0; place < width; place++) after[place] = before[place]! + own[place]!;
  };
  return Object.assign(ofDraws, { sums: () => ({ width, add, value: metric }) });
}

/** Sorted distinct names; the place of each row's name in them; and the number of rows of each name. */
export function groupRows(names: readonly string[]): { names: string[]; groupOf: Int32Array; counts: number[] } {
  const distinct = [...new Set(names)].sort();
  const places = new Map(distinct.map((name, place) => [name, place]));
  const groupOf = Int32Array.from(names, (name) => places.get(name)!);
  const counts = distinct.map(() => 0);
  for (const group of groupOf) counts[group]!++;
  return { names: distinct, groupOf, counts };
}

/** Mean of the values that exist; `reason` if none does. */
export function meanOfExisting(values: readonly (number | null)[], reason: string): MetricValue {
  let sum = 0;
  let count = 0;
  for (const value of values) {
    if (value === null) continue;
    sum += value;
    count++;
  }
  return count === 0 ? { value: null, reason } : { value: sum / count };
}

/** A difference of metrics; if one does not exist, its reason. */
export function difference(one: MetricValue, other: MetricValue): MetricValue {
  if (one.value === null) return one;
  return other.value === null ? other : { value: one.value - other.value };
}

/** A quotient; `reason` if its denominator is 0. */
export function quotient(numerator: number, denominator: number, reason: string): MetricValue {
  return denominator === 0 ? { value: null, reason } : { value: numerator / denominator };
}
