import { centeredRows, meanRow } from './centered.js';
import { checkFeatures, type Features } from './features.js';
import { checkLabels } from './metrics/confusion.js';

/**
 * Nearest class mean on frozen features: SimpleShot (Wang et al., 2019; arXiv 1911.04623, CL2N). The mean of the training rows
 * is subtracted from all rows, which are then made of unit length; a test row takes the class whose mean is closest.
 *
 * @param trainLabels `[train rows]`, each 0 to classes - 1; a class without a row is never predicted
 * @returns class of each test row
 */
export function nearestPrototype(
  train: Features,
  trainLabels: Int32Array,
  test: Features,
  { classes }: { classes: number },
): Int32Array {
  for (const features of [train, test]) checkFeatures(features, 'prototypes');
  if (train.width !== test.width) throw new RangeError(`features have widths ${train.width} and ${test.width}`);
  checkLabels(trainLabels, train.count, classes, 'train labels');
  const mean = meanRow(train);
  const [known, asked] = [centeredRows(train, mean), centeredRows(test, mean)];
  const { width } = train;
  const prototypes = new Float64Array(classes * width);
  const counts = new Int32Array(classes);
  for (let row = 0; row < train.count; row++) {
    const label = trainLabels[row]!;
    counts[label]!++;
    for (let column = 0; column < width; column++) prototypes[label * width + column]! += known[row * width + column]!;
  }
  return Int32Array.from({ length: test.count }, (_, row) => {
    let [nearest, least] = [-1, Infinity];
    for (let label = 0; label < classes; label++) {
      if (counts[label] === 0) continue;
      let distance = 0;
      for (let column = 0; column < width; column++) {
        distance += (asked[row * width + column]! - prototypes[label * width + column]! / counts[label]!) ** 2;
      }
      if (distance < least) [nearest, least] = [label, distance];
    }
    return nearest;
  });
}
