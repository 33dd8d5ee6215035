import { brierScore, calibrationError } from './calibration.js';
import { type ClassifiedCases, predictedClasses, sumsOfCases } from './classified-cases.js';
import {
  accuracy,
  balancedAccuracy,
  classCounts,
  confusionMatrix,
  f1,
  macroF1,
  quadraticKappa,
  recall,
  weightedF1,
} from './confusion.js';
import { type MetricDefinition, type MetricValue, measure, metricOfSums, once } from './metric.js';
import { areaUnderRoc, averagePrecision, rankCases, rankingMetric } from './ranking.js';
import { rocSums } from './roc-sums.js';

/**
 * Metrics of class probabilities. A metric that does not exist, such as the AUROC of cases of one class, has a reason in
 * place of a value. Of two classes, AUROC and AUPRC are those of the second class, the positive one; of more, each class
 * is compared with the rest and the mean is taken over the classes for which it exists.
 */
export const classificationMetrics = {
  accuracy: ofConfusion('Accuracy', accuracy),
  balancedAccuracy: ofConfusion('Balanced accuracy', balancedAccuracy),
  macroF1: ofConfusion('Macro F1', macroF1),
  weightedF1: ofConfusion('Weighted F1', weightedF1),
  quadraticKappa: ofConfusion('Quadratic kappa', quadraticKappa),
  auroc: {
    label: 'AUROC',
    of: (...results) => rankingMetric(results, areaUnderRoc, () => 'all cases are of one class', rocSums),
  },
  auprc: {
    label: 'AUPRC',
    of: (...results) => rankingMetric(results, averagePrecision, (positive) => `there are no cases of "${positive}"`),
  },
  brierScore: { label: 'Brier score (lower is better)', lowerIsBetter: true, of: (...results) => brierScore(results) },
  calibrationError: {
    label: 'Calibration error (lower is better)',
    lowerIsBetter: true,
    of: (...results) => calibrationError(results),
  },
} satisfies Record<string, MetricDefinition<ClassifiedCases>>;

/** A class's metrics; null where one does not exist. */
export interface ClassReport {
  class: string;
  cases: number;
  /** Null without cases. */
  recall: number | null;
  /** Null for a class that is never predicted. */
  precision: number | null;
  /** Null for a class that has no cases and is never predicted. */
  f1: number | null;
  /** Area under the ROC curve of the class against the rest; null unless there are cases of both. */
  auroc: number | null;
  /** Average precision of the class against the rest; null without cases. */
  auprc: number | null;
}

export interface ClassificationReport {
  metrics: Record<keyof typeof classificationMetrics, MetricValue>;
  classes: ClassReport[];
  /** `[true class][predicted class]`, counts. */
  confusion: number[][];
}

/** All metrics of a run's predictions, of all cases together and by class. */
export function classificationReport(cases: ClassifiedCases): ClassificationReport {
  const { classNames, labels } = cases;
  const matrix = confusionMatrix(predictedClasses(cases), labels, classNames.length);
  const draws = once(cases);
  const classes = classCounts(matrix).map((counts, label) => {
    const ranking = rankCases([cases], label);
    return {
      class: classNames[label]!,
      cases: counts.actual,
      recall: recall(counts),
      precision: counts.predicted === 0 ? null : counts.correct / counts.predicted,
      f1: f1(counts),
      auroc: areaUnderRoc(ranking, draws),
      auprc: averagePrecision(ranking, draws),
    };
  });
  return { metrics: measure(classificationMetrics, cases), classes, confusion: matrixRows(matrix) };
}

/** Rows of a flat square matrix. */
export function matrixRows(matrix: Float64Array): number[][] {
  const side = Math.sqrt(matrix.length);
  return Array.from({ length: side }, (_, row) => [...matrix.subarray(row * side, (row + 1) * side)]);
}

function ofConfusion(label: string, metric: (matrix: Float64Array) => MetricValue): MetricDefinition<ClassifiedCases> {
  return {
    label,
    of: (...results) =>
      metricOfSums(
        results.flatMap((cases) => {
          const classes = cases.classNames.length;
          const predicted = predictedClasses(cases);
          return sumsOfCases(cases, classes * classes, (sums, row) => {
            sums[cases.labels[row]! * classes + predicted[row]!]!++;
          });
        }),
        metric,
      ),
  };
}
