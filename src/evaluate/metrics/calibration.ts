import { type ClassifiedCases, predictedClasses, sumsOfCases } from './classified-cases.js';
import { metricOfSums, type PatientMetric, quotient } from './metric.js';

/** Number of bins, as Guo et al. use. */
const defaultBins = 15;

/** A bin of a reliability diagram. */
export interface ReliabilityBin {
  /** The bin holds confidences above `low`, up to and including `high`. */
  low: number;
  high: number;
  cases: number;
  /** Mean confidence of its cases. */
  confidence: number;
  /** Fraction of its cases that are correct. */
  accuracy: number;
}

/**
 * Bins of a reliability diagram (Guo et al., "On calibration of modern neural networks", arXiv 1706.04599, section 2):
 * cases are binned by their confidence, the probability of the predicted class, in bins of equal width, each of which
 * includes its upper edge. Empty bins are left out.
 */
export function reliabilityCurve(cases: ClassifiedCases, bins = defaultBins): ReliabilityBin[] {
  const sums = binSums(cases, bins);
  return Array.from({ length: bins }, (_, bin) => {
    const [count, confidence, correct] = [0, 1, 2].map((of) =>
      sums.reduce((total, own) => total + own[3 * bin + of]!, 0),
    ) as [number, number, number];
    return {
      low: bin / bins,
      high: (bin + 1) / bins,
      cases: count,
      confidence: confidence / count,
      accuracy: correct / count,
    };
  }).filter(({ cases: count }) => count > 0);
}

/**
 * Expected calibration error (Guo et al., equation 3): mean difference between confidence and accuracy of the bins of
 * `reliabilityCurve`, weighted by their numbers of cases.
 */
export function calibrationError(results: readonly ClassifiedCases[]): PatientMetric {
  return metricOfSums(
    results.flatMap((cases) => binSums(cases, defaultBins)),
    (sums) => {
      let [error, count] = [0, 0];
      for (let at = 0; at < sums.length; at += 3) {
        count += sums[at]!;
        error += Math.abs(sums[at + 1]! - sums[at + 2]!);
      }
      return quotient(error, count, 'there are no cases');
    },
  );
}

/**
 * Brier score (Brier, "Verification of forecasts expressed in terms of probability", 1950): mean squared distance of the
 * probabilities from the true class, summed over classes, 0 to 2; of two classes half of it, 0 to 1, as is usual
 * (scikit-learn's `brier_score_loss`).
 */
export function brierScore(results: readonly ClassifiedCases[]): PatientMetric {
  return metricOfSums(
    results.flatMap((cases) => {
      const { probabilities, labels, classNames } = cases;
      const classes = classNames.length;
      return sumsOfCases(cases, 2, (sums, row) => {
        let distance = 0;
        for (let label = 0; label < classes; label++) {
          distance += (probabilities[row * classes + label]! - Number(label === labels[row])) ** 2;
        }
        sums[0]! += classes === 2 ? distance / 2 : distance;
        sums[1]!++;
      });
    }),
    ([sum, count]) => quotient(sum!, count!, 'there are no cases'),
  );
}

/** For each patient and bin: the number of cases, the sum of their confidences, the number of correct ones. */
function binSums(cases: ClassifiedCases, bins: number): Float64Array[] {
  if (!(Number.isInteger(bins) && bins > 0))
    throw new RangeError(`the number of bins is a positive integer; got ${bins}`);
  const { probabilities, labels, classNames } = cases;
  const predicted = predictedClasses(cases);
  return sumsOfCases(cases, 3 * bins, (sums, row) => {
    const confidence = probabilities[row * classNames.length + predicted[row]!]!;
    // The predicted class has a probability of at least 1 / classes, so no confidence is 0.
    const bin = Math.ceil(confidence * bins) - 1;
    sums[3 * bin]!++;
    sums[3 * bin + 1]! += confidence;
    sums[3 * bin + 2]! += Number(predicted[row] === labels[row]);
  });
}
