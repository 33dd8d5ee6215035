import type { Key } from '../../base/index.js';
import { difference, type MetricValue, type PatientMetric } from '../metrics/metric.js';

/** Of more patients not all ways to swap are gone through, even where each costs little. */
const maxPatients = 19;

/** Two-sided p-value, and whether it is of all ways to swap or of ways drawn at random. */
export interface SignFlip {
  p: MetricValue;
  exact: boolean;
}

/**
 * Sign-flip test of paired results (Fisher's randomization test). If two arms do not differ, then the arms' results on a
 * patient might as well be swapped: the p-value is the fraction of ways to swap whose difference is at least as large as the
 * one seen. It is exact, of all 2^n ways for n patients, where the metric builds up patient by patient (see
 * `PatientMetric.sums`) and n is at most 19, or where the ways are no more than `resamples`. Else it is of so many ways drawn
 * at random and the one seen (Phipson and Smyth, "Permutation p-values should never be zero", 2010), which keeps its level
 * too. Yields after each way (see `inTurns`).
 *
 * @param pairs a metric for each pair of runs, of the patients of one and then of the same patients of the other: what is
 *   compared is the mean over pairs
 * @param patients of a run
 * @returns without a p-value if the difference does not exist for some way to swap
 */
export function* signFlipTest(
  pairs: readonly PatientMetric[],
  patients: number,
  { resamples, key }: { resamples: number; key: Key },
): Generator<void, SignFlip> {
  const all = 2 ** (patients - 1);
  const buildUp = patients <= maxPatients && pairs.every(({ sums }) => sums);
  const exact = buildUp || all <= resamples;
  const ways = exact ? everyWay(patients) : drawnWays(patients, resamples, key.fold('sign flips'));
  const differenceOf = buildUp ? differenceOfSums(pairs, patients) : differenceOfDraws(pairs, patients);
  const sizes = new Float64Array(exact ? all : resamples + 1);
  let place = 0;
  for (const swapped of ways) {
    const value = differenceOf(swapped);
    if (value.value === null) return { p: value, exact };
    sizes[place++] = Math.abs(value.value);
    yield;
  }
  // Equal sums differ by rounding.
  const seen = sizes[0]! - 1e-12 * sizes.reduce((largest, size) => Math.max(largest, size), 0);
  return { p: { value: sizes.reduce((count, size) => count + Number(size >= seen), 0) / sizes.length }, exact };
}

type Difference = (swapped: Uint8Array) => MetricValue;

/** The array is reused; the first way is the one seen. The first patient is never swapped: swapping the others instead only changes the sign. */
function* everyWay(patients: number): Generator<Uint8Array> {
  const swapped = new Uint8Array(patients);
  for (let way = 0; way < 2 ** (patients - 1); way++) {
    for (let patient = 1; patient < patients; patient++) swapped[patient] = (way >> (patients - 1 - patient)) & 1;
    yield swapped;
  }
}

function* drawnWays(patients: number, count: number, key: Key): Generator<Uint8Array> {
  const generator = key.generator();
  const swapped = new Uint8Array(patients);
  yield swapped;
  for (let way = 0; way < count; way++) {
    for (let patient = 0; patient < patients; patient++) swapped[patient] = generator.integer(2);
    yield swapped;
  }
}

function differenceOfDraws(pairs: readonly PatientMetric[], patients: number): Difference {
  const [one, other] = [new Float64Array(2 * patients), new Float64Array(2 * patients)];
  return (swapped) => {
    for (let patient = 0; patient < patients; patient++) {
      one[patients + patient] = swapped[patient]!;
      one[patient] = 1 - swapped[patient]!;
      other[patients + patient] = one[patient]!;
      other[patient] = swapped[patient]!;
    }
    return meanDifference(pairs, (metric) => difference(metric(one), metric(other)));
  };
}

/** Goes through ways in the order of `everyWay`, and keeps the sums up to the first patient that is swapped otherwise than before. */
function differenceOfSums(pairs: readonly PatientMetric[], patients: number): Difference {
  const all = pairs.map(({ sums }) => {
    const metric = sums!();
    const levels = () => Array.from({ length: patients + 1 }, () => new Float64Array(metric.width));
    return { metric, one: levels(), other: levels() };
  });
  const before = new Uint8Array(patients).fill(2);
  return (swapped) => {
    let first = 0;
    while (first < patients && swapped[first] === before[first]) first++;
    before.set(swapped);
    return meanDifference(all, ({ metric, one, other }) => {
      for (let patient = first; patient < patients; patient++) {
        const [kept, taken] = swapped[patient] ? [patients + patient, patient] : [patient, patients + patient];
        metric.add(one[patient]!, kept, one[patient + 1]!);
        metric.add(other[patient]!, taken, other[patient + 1]!);
      }
      return difference(metric.value(one[patients]!), metric.value(other[patients]!));
    });
  };
}

function meanDifference<Pair>(pairs: readonly Pair[], of: (pair: Pair) => MetricValue): MetricValue {
  let sum = 0;
  for (const pair of pairs) {
    const value = of(pair);
    if (value.value === null) return value;
    sum += value.value;
  }
  return { value: sum / pairs.length };
}
