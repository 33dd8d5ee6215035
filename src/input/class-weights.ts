/**
 * A weight a class, inversely proportional to how many patches it has, so that every class weighs as much as any other
 * in a mean over patches (scikit-learn's `balanced`): patches / (classes x patches of the class). A class without
 * patches weighs 0, and does not count as a class.
 *
 * @param labels classes of the patches; negative ones do not count
 */
export function classWeights(labels: ArrayLike<number>, classes: number): Float32Array {
  const counts = new Float64Array(classes);
  for (let patch = 0; patch < labels.length; patch++) {
    const label = labels[patch]!;
    if (label < 0) continue;
    if (!(Number.isInteger(label) && label < classes)) {
      throw new RangeError(`label ${label} is not one of ${classes} classes`);
    }
    counts[label]!++;
  }
  return inverseFrequencies(counts);
}

/** The same from how many each class has, patches or pixels. */
export function inverseFrequencies(counts: ArrayLike<number>): Float32Array {
  const present = Array.from(counts).filter((count) => count > 0);
  const total = present.reduce((sum, count) => sum + count, 0);
  return Float32Array.from(counts, (count) => (count > 0 ? total / (present.length * count) : 0));
}
