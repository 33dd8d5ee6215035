import { standardDeviation } from './bootstrap.js';
import { studentQuantile, studentWithin } from './distributions.js';
import type { Interval } from './intervals.js';

export interface CorrectedT extends Interval {
  /** Mean difference over the folds. */
  value: number;
  /** Two-sided p-value. */
  p: number;
}

/**
 * Corrected resampled t test of two arms' difference over folds, or over repeated splits (Nadeau and Bengio, "Inference
 * for the generalization error", 2003, section 3). Folds share training patients, so their differences are not
 * independent: the variance of the mean is taken as (1 / folds + test / train) times the differences' variance.
 *
 * @param differences one for each fold
 * @param options.train number of training patients (or cases) of a fold
 * @param options.test number of test patients (or cases) of a fold
 * @throws RangeError for fewer than two folds, and for differences that are equal but not 0: they have no variance
 *
 * @example
 * // Five folds, each with test patients of its own: AUROC of one arm minus that of another.
 * correctedT([0.031, 0.012, 0.025, -0.004, 0.022], { train: 80, test: 20 });
 */
export function correctedT(
  differences: readonly number[],
  { train, test, level = 0.95 }: { train: number; test: number; level?: number },
): CorrectedT {
  const folds = differences.length;
  if (folds < 2) throw new RangeError(`the corrected t test needs at least two folds; got ${folds}`);
  if (!differences.every(Number.isFinite)) throw new RangeError(`a fold has no difference: ${differences.join(', ')}`);
  if (!(train > 0 && test > 0)) throw new RangeError(`a fold has training and test patients; got ${train} and ${test}`);
  if (!(level > 0 && level < 1)) throw new RangeError(`the level is between 0 and 1, as .95; got ${level}`);
  const value = differences.reduce((sum, difference) => sum + difference, 0) / folds;
  const error = Math.sqrt(1 / folds + test / train) * standardDeviation(differences);
  if (differences.every((difference) => difference === differences[0]) && value !== 0) {
    throw new RangeError(`all ${folds} folds have the difference ${value}, so its variance is unknown`);
  }
  const half = studentQuantile(level, folds - 1) * error;
  return {
    value,
    low: value - half,
    high: value + half,
    level,
    p: error === 0 ? 1 : 1 - studentWithin(value / error, folds - 1),
    method: `corrected resampled t over ${folds} folds (${train} for training, ${test} for testing)`,
  };
}
