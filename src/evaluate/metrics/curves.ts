import type { ClassifiedCases } from './classified-cases.js';
import { once } from './metric.js';
import { type Ranking, rankCases, thresholds } from './ranking.js';

/** A point of a ROC curve: rates among the cases whose probability is at least `threshold`. */
export interface RocPoint {
  /** Null for the first point, at which no case is called positive. */
  threshold: number | null;
  falsePositiveRate: number;
  truePositiveRate: number;
}

/** A point of a precision-recall curve, of the cases whose probability is at least `threshold`. */
export interface PrecisionRecallPoint {
  threshold: number;
  recall: number;
  precision: number;
}

/**
 * ROC curve of a class against the rest, from (0, 0) to (1, 1), without the points on a straight line between their
 * neighbors.
 *
 * @param label the positive class
 * @throws RangeError unless there are cases of the class and others
 */
export function rocCurve(cases: ClassifiedCases, label: number): RocPoint[] {
  const ranking = rankingOf(cases, label, 'ROC');
  const points = [{ truePositives: 0, falsePositives: 0, place: -1 }, ...thresholds(ranking, once(cases))];
  const { truePositives: positives, falsePositives: negatives } = points.at(-1)!;
  return points
    .filter((point, at) => {
      const [before, after] = [points[at - 1], points[at + 1]];
      if (!before || !after) return true;
      const [rise, run] = [point.truePositives - before.truePositives, point.falsePositives - before.falsePositives];
      return rise * (after.falsePositives - point.falsePositives) !== run * (after.truePositives - point.truePositives);
    })
    .map(({ truePositives, falsePositives, place }) => ({
      threshold: ranking.probabilities[place] ?? null,
      falsePositiveRate: falsePositives / negatives,
      truePositiveRate: truePositives / positives,
    }));
}

/**
 * Precision-recall curve of a class against the rest, from the highest threshold to that of full recall, without the
 * points between others of the same recall.
 *
 * @param label the positive class
 * @throws RangeError unless there are cases of the class and others
 */
export function precisionRecallCurve(cases: ClassifiedCases, label: number): PrecisionRecallPoint[] {
  const ranking = rankingOf(cases, label, 'precision-recall');
  const points = thresholds(ranking, once(cases));
  const positives = points.at(-1)!.truePositives;
  const last = points.findIndex(({ truePositives }) => truePositives === positives);
  return points
    .slice(0, last + 1)
    .filter(
      ({ truePositives }, at) =>
        truePositives !== points[at - 1]?.truePositives || truePositives !== points[at + 1]!.truePositives,
    )
    .map(({ truePositives, falsePositives, place }) => ({
      threshold: ranking.probabilities[place]!,
      recall: truePositives / positives,
      precision: truePositives / (truePositives + falsePositives),
    }));
}

/** A ranking that has cases of the class and others. */
export function rankingOf(cases: ClassifiedCases, label: number, curve: string): Ranking {
  const name = cases.classNames[label];
  if (name === undefined) {
    throw new RangeError(`there is no class ${label} of ${cases.classNames.length} for a ${curve} curve`);
  }
  const ranking = rankCases([cases], label);
  const positives = ranking.positive.reduce((sum, positive) => sum + positive, 0);
  if (positives === 0 || positives === ranking.positive.length) {
    throw new RangeError(
      `a ${curve} curve needs cases of "${name}" and of other classes; ${positives} of ${ranking.positive.length} are`,
    );
  }
  return ranking;
}
