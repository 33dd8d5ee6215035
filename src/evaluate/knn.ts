import type { Features } from './features.js';
import { checkLabels } from './metrics/confusion.js';
import { nearestCentered } from './nearest.js';

export interface KnnOptions {
  /** How many neighbors vote; at most the size of the bank. */
  neighbors?: number;
  /** Softmax temperature of the votes: with small values only the nearest neighbor counts. */
  temperature?: number;
  /** Number of classes; labels are 0 to classes - 1. */
  classes: number;
}

export interface KnnResult {
  /** Class of each test row, `[count]`. */
  predictions: Int32Array;
  /** Accuracy on the test rows. */
  accuracy: number;
  correct: boolean[];
}

/**
 * Weighted k nearest neighbors on frozen features: each neighbor votes for its class with exp(cosine similarity /
 * temperature) (Wu et al., "Unsupervised feature learning via non-parametric instance discrimination", arXiv
 * 1805.01978, section 3.4, with its temperature of .07; it uses 200 neighbors of 1.28 million; 20 is usual for small
 * banks). The mean of the training rows is subtracted from all rows first, as UNI's evaluation does (Chen et al., 2024; doi
 * 10.1038/s41591-024-02857-3). On a tie, the lower class number wins.
 *
 * @param trainLabels `[train rows]`, each 0 to classes - 1
 * @param testLabels `[test rows]`, each 0 to classes - 1
 * @throws RangeError on shapes that do not fit, labels out of range, or fewer train rows than neighbors
 */
export async function knnClassify(
  trainFeatures: Features,
  trainLabels: Int32Array,
  testFeatures: Features,
  testLabels: Int32Array,
  { neighbors = 20, temperature = 0.07, classes }: KnnOptions,
): Promise<KnnResult> {
  checkLabels(trainLabels, trainFeatures.count, classes, 'train labels');
  checkLabels(testLabels, testFeatures.count, classes, 'test labels');
  if (!(temperature > 0)) throw new RangeError(`the temperature is above 0; got ${temperature}`);
  const found = await nearestCentered(trainFeatures, testFeatures, neighbors);
  const predictions = Int32Array.from(found, ({ rows, similarities }) => {
    const votes = new Float64Array(classes);
    rows.forEach((row, rank) => {
      // Relative to the most similar, so that no exponential overflows; the ratios are the same.
      votes[trainLabels[row]!]! += Math.exp((similarities[rank]! - similarities[0]!) / temperature);
    });
    return votes.indexOf(Math.max(...votes));
  });
  const correct = Array.from(predictions, (prediction, row) => prediction === testLabels[row]);
  return { predictions, accuracy: correct.filter(Boolean).length / correct.length, correct };
}
