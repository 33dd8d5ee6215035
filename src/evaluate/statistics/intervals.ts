import { atOnce } from '../../base/index.js';
import { groupRows, metricOfSums, quotient } from '../metrics/metric.js';
import { bootstrapValues, defaultResamples, percentileEnds, type ResampleOptions } from './bootstrap.js';

export interface Interval {
  low: number;
  high: number;
  /** Coverage: the probability that such an interval contains the true value, if the method's assumptions hold. */
  level: number;
  /** The method in words, for a table's footnote. */
  method: string;
}

export interface BootstrapOptions extends ResampleOptions {
  level?: number;
  /** What the clusters are, for `method`. */
  clusters?: string;
}

/** 97.5 % quantile of the standard normal distribution. */
const z = 1.959963984540054;

/**
 * 95 % interval of a proportion of independent trials (Wilson, "Probable inference, the law of succession, and statistical
 * inference", 1927). Patches of one slide are not independent: for them use `clusterBootstrapInterval`.
 */
export function wilsonInterval(successes: number, total: number): Interval {
  if (!(Number.isInteger(total) && total > 0 && Number.isInteger(successes) && successes >= 0 && successes <= total)) {
    throw new RangeError(
      `a proportion needs an integer number of successes out of an integer total; got ${successes} of ${total}`,
    );
  }
  const share = successes / total;
  const shrink = 1 + (z * z) / total;
  const center = (share + (z * z) / (2 * total)) / shrink;
  const half = (z * Math.sqrt((share * (1 - share)) / total + (z * z) / (4 * total * total))) / shrink;
  return {
    // Exact bounds at 0 and 1, despite rounding.
    low: successes === 0 ? 0 : center - half,
    high: successes === total ? 1 : center + half,
    level: 0.95,
    method: `Wilson score interval, ${total} independent trials`,
  };
}

/**
 * Interval of an accuracy over patches of several slides. Patches of one slide are correlated, so slides with all their
 * patches are resampled; the interval is between percentiles of the resampled accuracies (see `drawPatients`).
 *
 * With few slides, notably under some 20, it is too narrow: its coverage is below `level`; if every patch is correct
 * its width is 0. It covers sampling of slides, not the randomness of training. `method` states the number of slides;
 * report it.
 *
 * @param correct whether each patch was right
 * @param clusters the slide (or patient) of each patch
 * @throws RangeError for fewer than two clusters
 */
export function clusterBootstrapInterval(
  correct: readonly boolean[],
  clusters: readonly string[],
  options: BootstrapOptions,
): Interval {
  return intervalOfMean(correct.map(Number), clusters, options);
}

/**
 * Interval of the difference in accuracy, second minus first, of two models on the same patches. Both use the same
 * resampled slides, so that a slide's difficulty cancels. Method and limits are those of `clusterBootstrapInterval`.
 */
export function pairedDifferenceInterval(
  first: readonly boolean[],
  second: readonly boolean[],
  clusters: readonly string[],
  options: BootstrapOptions,
): Interval {
  if (first.length !== second.length) {
    throw new RangeError(`paired results need the same patches; got ${first.length} and ${second.length}`);
  }
  const differences = first.map((right, patch) => Number(second[patch]) - Number(right));
  return intervalOfMean(differences, clusters, options);
}

/** The method of percentile intervals in words. */
export function bootstrapMethod(patients: number, what: string, cases: number, resamples = defaultResamples): string {
  return `percentile bootstrap over ${patients} ${what} (${cases} patches), ${resamples} resamples`;
}

/** Percentile interval of the mean of `values` when whole clusters are drawn with replacement. */
function intervalOfMean(
  values: readonly number[],
  clusters: readonly string[],
  { level = 0.95, clusters: what = 'slides', ...options }: BootstrapOptions,
): Interval {
  if (values.length !== clusters.length) {
    throw new RangeError(`${values.length} results for ${clusters.length} cluster names`);
  }
  const { names, groupOf, counts } = groupRows(clusters);
  if (names.length < 2) {
    throw new RangeError(
      `the interval needs patches of at least two slides; got ${names.length}` +
        ' (hold out more slides, or give the accuracy without an interval)',
    );
  }
  const sums = counts.map((count) => Float64Array.of(0, count));
  groupOf.forEach((group, row) => {
    sums[group]![0]! += values[row]!;
  });
  const mean = metricOfSums(sums, ([sum, count]) => quotient(sum!, count!, 'there are no patches'));
  const [means] = atOnce(bootstrapValues([mean], names.length, options));
  return {
    ...percentileEnds(means!, level)!,
    level,
    method: bootstrapMethod(names.length, what, values.length, options.resamples),
  };
}
