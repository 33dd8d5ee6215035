import type { Key } from '../base/index.js';

export interface Interval {
  low: number;
  high: number;
  /** Coverage: the probability that such an interval contains the true value, if the method's assumptions hold. */
  level: number;
  /** The method in words, for a table's footnote. */
  method: string;
}

export interface BootstrapOptions {
  level?: number;
  resamples?: number;
  /** What the clusters are, for `method`. */
  clusters?: string;
  key: Key;
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
 * patches are resampled; the interval is between percentiles of the resampled accuracies (percentile cluster bootstrap;
 * Davison and Hinkley, "Bootstrap methods and their application", 1997, section 3.8).
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
  return bootstrap(correct.map(Number), clusters, options);
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
  return bootstrap(differences, clusters, options);
}

/** Percentile interval of the mean of `values` when whole clusters are drawn with replacement. */
function bootstrap(
  values: readonly number[],
  clusters: readonly string[],
  { level = 0.95, resamples = 10_000, clusters: what = 'slides', key }: BootstrapOptions,
): Interval {
  checkLevel(level);
  if (values.length !== clusters.length) {
    throw new RangeError(`${values.length} results for ${clusters.length} cluster names`);
  }
  if (!(Number.isInteger(resamples) && resamples >= 100)) {
    throw new RangeError(`percentiles need at least 100 resamples; got ${resamples}`);
  }
  const sums = new Map<string, { sum: number; count: number }>();
  clusters.forEach((name, row) => {
    const cluster = sums.get(name) ?? { sum: 0, count: 0 };
    cluster.sum += values[row]!;
    cluster.count++;
    sums.set(name, cluster);
  });
  const groups = [...sums.values()];
  if (groups.length < 2) {
    throw new RangeError(
      `the interval needs patches of at least two slides; got ${groups.length}` +
        ' (hold out more slides, or give the accuracy without an interval)',
    );
  }
  const generator = key.fold('bootstrap').generator();
  const means = Float64Array.from({ length: resamples }, () => {
    let sum = 0;
    let count = 0;
    for (let drawn = 0; drawn < groups.length; drawn++) {
      const group = groups[generator.integer(groups.length)]!;
      sum += group.sum;
      count += group.count;
    }
    return sum / count;
  }).sort();
  return {
    low: quantile(means, (1 - level) / 2),
    high: quantile(means, (1 + level) / 2),
    level,
    method: `percentile bootstrap over ${groups.length} ${what} (${values.length} patches), ${resamples} resamples`,
  };
}

/** Linear between the two nearest order statistics, as NumPy's `quantile`. */
function quantile(sorted: Float64Array, share: number): number {
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
}

function checkLevel(level: number): void {
  if (!(level > 0 && level < 1)) throw new RangeError(`the level is between 0 and 1, as .95; got ${level}`);
}
